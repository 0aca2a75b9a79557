package scenario

// A small line diff for traces, which have some dozens of lines.

import (
	"fmt"
	"strings"
)

const contextLines = 3

// Unified returns the difference between two lists of lines in the unified
// format, "" if there is none.
func Unified(aName, bName string, a, b []string) string {
	// common[i][j] is the length of the longest common subsequence of a[i:] and
	// b[j:].
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	type edit struct {
		kind byte // ' ', '-' or '+'
		text string
		a, b int // lines of a and b before this one
	}
	var edits []edit
	changed := false
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			edits = append(edits, edit{' ', a[i], i, j})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			edits = append(edits, edit{'-', a[i], i, j})
			i, changed = i+1, true
		default:
			edits = append(edits, edit{'+', b[j], i, j})
			j, changed = j+1, true
		}
	}
	if !changed {
		return ""
	}
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", aName, bName)
	for at := 0; at < len(edits); {
		for at < len(edits) && edits[at].kind == ' ' {
			at++
		}
		if at == len(edits) {
			break
		}
		// A hunk goes on as long as the next change is near enough for their
		// contexts to touch.
		first, last := max(0, at-contextLines), at
		for k := at; k < len(edits) && k-last <= 2*contextLines; k++ {
			if edits[k].kind != ' ' {
				last = k
			}
		}
		end := min(len(edits), last+1+contextLines)
		var na, nb int
		for _, e := range edits[first:end] {
			if e.kind != '+' {
				na++
			}
			if e.kind != '-' {
				nb++
			}
		}
		fmt.Fprintf(&out, "@@ -%s +%s @@\n", span(edits[first].a, na), span(edits[first].b, nb))
		for _, e := range edits[first:end] {
			fmt.Fprintf(&out, "%c%s\n", e.kind, e.text)
		}
		at = end
	}
	return out.String()
}

// span writes n lines after the first before ones; an empty span names the line
// in front of it.
func span(before, n int) string {
	if n == 0 {
		return fmt.Sprintf("%d,0", before)
	}
	return fmt.Sprintf("%d,%d", before+1, n)
}
