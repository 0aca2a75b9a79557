package scenario

// Timeouts.

func timeoutScenarios() []Scenario {
	return []Scenario{{
		Name: "timeout_count",
		Doc:  "A timeout with a count completes after that many completions.",
		Run: func(r *Run) {
			g := r.Open(8)
			g.SQE(1).PrepTimeout(r.Time(far), 2, 0)
			for i := range uint64(3) {
				g.SQE(2 + i).PrepNop()
			}
			g.SubmitReap(4)
		},
	}, {
		Name: "timeout_remove",
		Doc:  "A timeout can be removed by its UserData.",
		Run: func(r *Run) {
			g := r.Open(8)
			g.SQE(1).PrepTimeout(r.Time(far), 0, 0)
			g.SQE(2).PrepTimeoutRemove(1, 0)
			g.SQE(3).PrepTimeoutRemove(99, 0)
			g.SubmitReap(3)
		},
	}}
}
