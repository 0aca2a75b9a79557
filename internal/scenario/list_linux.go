package scenario

// The scenarios, by subject; each function is in the file named after it.
func groups() [][]Scenario {
	return [][]Scenario{
		queueScenarios(),
		chainScenarios(),
		timeoutScenarios(),
	}
}
