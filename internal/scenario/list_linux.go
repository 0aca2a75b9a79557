package scenario

// The scenarios, by subject; each function is in the file named after it.
func groups() [][]Scenario {
	return [][]Scenario{
		queueScenarios(),
		chainScenarios(),
		timeoutScenarios(),
		pollScenarios(),
		cancelScenarios(),
		fileScenarios(),
		fixedScenarios(),
		bufferScenarios(),
		netScenarios(),
		ringScenarios(),
		futexScenarios(),
		processScenarios(),
		resizeScenarios(),
		apiScenarios(),
		viewScenarios(),
	}
}
