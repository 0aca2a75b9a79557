package matrix

// The picture: a line for each kernel, on the left a column for each feature in
// which they differ, on the right one for each scenario, with a half for each
// backend.

import (
	"io"

	"github.com/uring-go/uring/features"
)

const (
	labelWidth = 108
	columnStep = 4
	rowStep    = 15
	rowHeight  = 13
	gap        = 22
	topSpace   = 64
	legendRoom = 54
)

const svgStyle = colours + `
  .bg{fill:var(--bg)} text{fill:var(--fg);font:11px system-ui,sans-serif} .title{font-size:15px;font-weight:600} .dim{fill:var(--dim)}
  .equal{fill:var(--equal)} .different{fill:var(--different)} .skipped{fill:var(--skipped)} .disagree{fill:var(--disagree)} .failed{fill:var(--failed)}
  .yes{fill:var(--yes)} .no{fill:var(--no)} .unknown{fill:var(--unknown)}`

// The picture inside of the page takes the page's variables; its classes are its
// own, for fill is not background.
const inlineStyle = `
  #picture text{fill:var(--fg);font:11px system-ui,sans-serif} #picture .title{font-size:15px;font-weight:600} #picture .dim{fill:var(--dim)} #picture .bg{fill:none}
  #picture .equal{fill:var(--equal)} #picture .different{fill:var(--different)} #picture .skipped{fill:var(--skipped)} #picture .disagree{fill:var(--disagree)} #picture .failed{fill:var(--failed)}
  #picture .yes{fill:var(--yes)} #picture .no{fill:var(--no)} #picture .unknown{fill:var(--unknown)}`

// WriteSVG writes the picture as a file of its own.
func (m *Matrix) WriteSVG(w io.Writer) error {
	p := &writer{w: w}
	m.svg(p, true)
	return p.err
}

func (m *Matrix) svg(p *writer, alone bool) {
	var columns []Feature
	for _, f := range m.Features {
		if !f.Same() {
			columns = append(columns, f)
		}
	}
	left := labelWidth + len(columns)*columnStep + gap
	width := left + len(m.Scenarios)*columnStep + 12
	height := topSpace + len(m.Kernels)*rowStep + legendRoom
	style := inlineStyle
	if alone {
		style = svgStyle
	}
	p.printf("<svg xmlns=\"http://www.w3.org/2000/svg\" id=\"picture\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n<style>%s\n</style>\n",
		width, height, esc(m.summary()), style)
	p.printf("<rect class=\"bg\" width=\"%d\" height=\"%d\"/>\n", width, height)
	p.printf("<text class=\"title\" x=\"12\" y=\"24\">io_uring under %d kernels</text>\n", len(m.Kernels))
	p.printf("<text class=\"dim\" x=\"%d\" y=\"52\">%d features in which they differ</text>\n", labelWidth, len(columns))
	p.printf("<text class=\"dim\" x=\"%d\" y=\"52\">%d scenarios: above liburing, below purego</text>\n", left, len(m.Scenarios))
	for i, k := range m.Kernels {
		y := topSpace + i*rowStep
		p.printf("<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", labelWidth-8, y+rowHeight-2, esc(k.Name))
		cells := make([]string, len(columns))
		for j, f := range columns {
			cells[j] = string(f.Answers[i])
		}
		strip(p, cells, labelWidth, y, rowHeight)
		for b := range Backends {
			cells := make([]string, len(m.Scenarios))
			for j, s := range m.Scenarios {
				cells[j] = string(s.Cells[i].States[b])
			}
			half := rowHeight / 2
			strip(p, cells, left, y+b*(half+1), half)
		}
	}
	y := topSpace + len(m.Kernels)*rowStep + 14
	legend(p, labelWidth, y, [][2]string{{string(features.Yes), "yes"}, {string(features.No), "no"}, {string(features.Unknown), "unknown"}})
	legend(p, left, y, [][2]string{{string(Equal), "as liburing under the newest"}, {string(Different), "something else"}, {string(Skipped), "left out"}, {string(Disagree), "the backends disagree"}})
	p.printf("</svg>\n")
}

// strip draws neighbours that are alike as one bar.
func strip(p *writer, cells []string, x, y, height int) {
	for i := 0; i < len(cells); {
		n := 1
		for i+n < len(cells) && cells[i+n] == cells[i] {
			n++
		}
		if cells[i] != string(Absent) {
			p.printf("<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", cells[i], x+i*columnStep, y, n*columnStep, height)
		}
		i += n
	}
}

func legend(p *writer, x, y int, entries [][2]string) {
	for _, e := range entries {
		p.printf("<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"12\" height=\"12\"/><text x=\"%d\" y=\"%d\">%s</text>\n", e[0], x, y, x+17, y+10, esc(e[1]))
		x += 17 + 6*len(e[1]) + 22
	}
}
