package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/uring-go/uring/features"
)

var probeCommand = &command{
	name:  "probe",
	args:  "[NAME...]",
	short: "what the running kernel's io_uring has",
	long: `Asks the kernel for every setup flag, feature, operation, register operation
and flag that this program knows, and for behaviours that no flag stands for.
Each is answered with yes, no or unknown, and the release of Linux it came with.

A NAME is one of those that "uring list" shows, whole or without what it begins
with, such as IORING_OP_PIPE or pipe, or a kind: setup, feature, op, register_op,
enter, sqe_flag, behaviour. The exit status is then 1 if one of them is a no, and
77 if none is but one is unknown.`,
	run: runProbe,
}

func runProbe(c *call) int {
	list := features.Known()
	if len(c.args) > 0 {
		var err error
		if list, err = choose(list, c.args); err != nil {
			return c.fail(err)
		}
	}
	r := features.Ask(list)
	if c.json {
		c.document(r)
	} else {
		c.probeTable(r)
	}
	status := exitOK
	if len(c.args) > 0 {
		for _, line := range r.Results {
			switch {
			case line.Answer == features.No:
				status = exitNo
			case line.Answer == features.Unknown && status == exitOK:
				status = exitUntried
			}
		}
	}
	return status
}

// probeTable writes a report in sections, one for each kind.
func (c *call) probeTable(r features.Report) {
	c.printf("kernel %s, %s/%s\n", cmp.Or(r.Kernel, "unknown"), r.OS, r.Arch)
	// One table for all, so that the columns stand under each other.
	t := table{indent: "  "}
	for _, line := range r.Results {
		t.row(line.Name, c.word(string(line.Answer)), line.Since, line.Reason)
	}
	var b strings.Builder
	t.write(&b)
	i := 0
	var section features.Kind
	for text := range strings.Lines(b.String()) {
		if kind := r.Results[i].Kind; kind != section {
			c.printf("\n%s\n", kind)
			section = kind
		}
		c.printf("%s", text)
		i++
	}
}

// choose returns the features that the names mean, in the order of list.
func choose(list []features.Feature, names []string) ([]features.Feature, error) {
	chosen := make([]bool, len(list))
	for _, name := range names {
		found := false
		for i, f := range list {
			if matches(f, name) {
				chosen[i], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("unknown name %q; \"uring list ops\", \"uring list flags\" and \"uring list features\" have the names", name)
		}
	}
	var some []features.Feature
	for i, f := range list {
		if chosen[i] {
			some = append(some, f)
		}
	}
	return some, nil
}

// prefixes are what the kernel's names begin with and people leave out.
var prefixes = []string{"IORING_SETUP_", "IORING_FEAT_", "IORING_OP_", "IORING_REGISTER_", "IORING_ENTER_", "IOSQE_", "IORING_"}

func matches(f features.Feature, name string) bool {
	if strings.EqualFold(f.Name, name) || name == string(f.Kind) {
		return true
	}
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(f.Name, p); ok && strings.EqualFold(rest, name) {
			return true
		}
	}
	return false
}
