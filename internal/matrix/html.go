package matrix

import (
	"fmt"
	"html"
	"io"
	"slices"
	"strings"

	"github.com/uring-go/uring/features"
)

// marks are what a cell shows beside its colour, for paper and for eyes that do
// not tell colours apart.
var marks = map[State]string{Equal: "=", Different: "≠", Skipped: "–", Disagree: "✕", Failed: "!", Absent: ""}

var answerMarks = map[features.Answer]string{features.Yes: "●", features.No: "–", features.Unknown: "?"}

// colours are of both schemes. The names are those of classes, too.
const colours = `
  :root { --bg:#fff; --fg:#1b1f24; --dim:#5d6772; --line:#d5dae0; --head:#f3f5f8;
    --equal:#bfe3c8; --different:#ffd591; --skipped:#eceff3; --disagree:#e5484d; --failed:#8e4ec6; --yes:#bfe3c8; --no:#eceff3; --unknown:#ffd591; }
  @media (prefers-color-scheme: dark) { :root { --bg:#14171b; --fg:#e4e8ec; --dim:#98a3af; --line:#343b44; --head:#1d2228;
    --equal:#1f5b35; --different:#8a5a00; --skipped:#262c33; --disagree:#d13438; --failed:#7a3fb0; --yes:#1f5b35; --no:#262c33; --unknown:#8a5a00; } }`

const pageStyle = colours + `
  body { background:var(--bg); color:var(--fg); font:15px/1.5 system-ui,sans-serif; margin:2em auto; padding:0 1.2em; max-width:78em; }
  h1 { font-size:1.6em; margin:0 0 .3em; } h2 { font-size:1.2em; margin:2em 0 .4em; } p { max-width:52em; } .dim { color:var(--dim); }
  svg { display:block; width:100%; height:auto; }
  .scroll { overflow-x:auto; }
  table { border-collapse:separate; border-spacing:1px; font-size:12px; line-height:1.25; }
  th { font-weight:normal; text-align:left; white-space:nowrap; } thead th { vertical-align:bottom; }
  thead th.k div { writing-mode:vertical-rl; transform:rotate(180deg); padding:.3em 0; }
  tbody th { font-family:ui-monospace,monospace; padding-right:.8em; position:sticky; left:0; background:var(--bg); }
  td { min-width:1.55em; text-align:center; padding:0 .1em; } td.since { text-align:right; padding-right:.6em; color:var(--dim); white-space:nowrap; }
  tr.kind th { padding-top:.9em; font-family:inherit; font-weight:bold; }
  td.two { padding:0; white-space:nowrap; } td.two span { display:inline-block; width:1.25em; }
  .equal{background:var(--equal)} .different{background:var(--different)} .skipped{background:var(--skipped);color:var(--dim)}
  .disagree{background:var(--disagree);color:#fff} .failed{background:var(--failed);color:#fff} .absent{background:none}
  .yes{background:var(--yes)} .no{background:var(--no);color:var(--dim)} .unknown{background:var(--unknown)}
  .key span { display:inline-block; min-width:1.6em; text-align:center; margin:0 .35em 0 1em; }
  .key span:first-child { margin-left:0; }
  dl { max-width:60em; } dt { font-family:ui-monospace,monospace; font-size:12.5px; margin-top:.8em; overflow-wrap:anywhere; } dd { margin:0 0 0 1.5em; }
  .kernels td { text-align:left; padding:.1em .8em .1em 0; white-space:nowrap; }
  @media print { @page { size:A3 landscape; margin:10mm } body { margin:0; max-width:none; font-size:10pt } table { font-size:7.5pt } tr { break-inside:avoid } thead { display:table-header-group } tbody th { position:static }
    * { print-color-adjust:exact; -webkit-print-color-adjust:exact } .scroll { overflow:visible } }`

// WriteHTML writes the page, which needs nothing but itself.
func (m *Matrix) WriteHTML(w io.Writer) error {
	p := &writer{w: w}
	p.printf("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light dark\">\n")
	p.printf("<title>uring under %d kernels</title>\n<style>%s\n</style>\n</head>\n<body>\n", len(m.Kernels), pageStyle)
	p.printf("<h1>uring under %d kernels</h1>\n", len(m.Kernels))
	p.printf("<p>%s</p>\n", html.EscapeString(m.summary()))
	p.printf("<p class=\"dim\">Written by <code>uring matrix</code> from runs in virtual machines; <code>scripts/kernels --record</code> makes them.</p>\n")
	m.svg(p, false)

	p.printf("<h2>The kernels</h2>\n<div class=\"scroll\"><table class=\"kernels\"><tbody>\n")
	for _, k := range m.Kernels {
		library := "purego only"
		if k.Library != "" {
			library = "purego and liburing " + k.Library
		}
		p.printf("<tr><th>%s</th><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>\n", esc(k.Name), esc(k.Release), esc(k.Arch), esc(k.FileSystem), esc(library))
	}
	p.printf("</tbody></table></div>\n")

	m.featureTable(p)
	m.scenarioTable(p)

	p.printf("<h2>Why kernels differ</h2>\n<p>The reviewed list, against the newest kernel. A test fails if a difference is not in it, or if it speaks of one that is not there.</p>\n<dl>\n")
	for _, d := range m.Differences {
		where := strings.Join(d.Scenarios, ", ")
		if len(d.Modes) > 0 {
			var modes []string
			for _, mode := range d.Modes {
				modes = append(modes, string(mode))
			}
			where += " in " + strings.Join(modes, ", ")
		}
		p.printf("<dt>%s <span class=\"dim\">on %s</span></dt><dd>%s</dd>\n", esc(where), esc(strings.Join(d.Kernels, ", ")), esc(d.Why))
	}
	p.printf("</dl>\n</body>\n</html>\n")
	return p.err
}

// summary says in a few words what came of it.
func (m *Matrix) summary() string {
	n := m.Count
	ran := 0
	for _, s := range m.Scenarios {
		if slices.ContainsFunc(s.Cells, func(c Cell) bool { return c.States != [2]State{Absent, Absent} }) {
			ran++
		}
	}
	text := fmt.Sprintf("%d scenarios, each in several ring modes, ran under Linux %s to %s, with the backends that the table of kernels names. Of %d runs that the kernel allows, %d saw what liburing sees under the newest kernel, and %d something else.",
		ran, m.Kernels[0].Release, m.Kernels[len(m.Kernels)-1].Release,
		n[Equal]+n[Different]+n[Disagree]+n[Failed], n[Equal], n[Different]+n[Disagree])
	if n[Disagree] == 0 {
		text += " The backends never disagreed under one kernel."
	} else {
		text += fmt.Sprintf(" In %d runs the backends disagreed.", n[Disagree])
	}
	if n[Failed] > 0 {
		text += fmt.Sprintf(" %d runs came to no good end.", n[Failed])
	}
	return text
}

func (m *Matrix) head(p *writer, more string) {
	p.printf("<thead><tr><th></th>%s", more)
	for _, k := range m.Kernels {
		p.printf("<th class=\"k\"><div>%s</div></th>", esc(k.Name))
	}
	p.printf("</tr></thead>\n")
}

func (m *Matrix) featureTable(p *writer) {
	p.printf("<h2>What they have</h2>\n<p class=\"key\"><span class=\"yes\">●</span>yes<span class=\"no\">–</span>no<span class=\"unknown\">?</span>could not be told. The second column is the release of Linux that brought it. Asked of the kernel, as <code>uring probe</code> does.</p>\n")
	same := map[features.Answer][]string{}
	p.printf("<div class=\"scroll\"><table>")
	m.head(p, "<th></th>")
	p.printf("<tbody>\n")
	var kind features.Kind
	for _, f := range m.Features {
		if f.Same() {
			same[f.Answers[0]] = append(same[f.Answers[0]], f.Name)
			continue
		}
		if f.Kind != kind {
			kind = f.Kind
			p.printf("<tr class=\"kind\"><th colspan=\"%d\">%s</th></tr>\n", len(m.Kernels)+2, esc(strings.ReplaceAll(string(kind), "_", " ")))
		}
		p.printf("<tr><th>%s</th><td class=\"since\">%s</td>", esc(f.Name), esc(f.Since))
		for i, a := range f.Answers {
			p.printf("<td class=\"%s\" title=\"%s: %s\">%s</td>", a, esc(m.Kernels[i].Name), a, answerMarks[a])
		}
		p.printf("</tr>\n")
	}
	p.printf("</tbody></table></div>\n")
	for _, group := range []struct {
		answer features.Answer
		text   string
	}{{features.Yes, "All of them have"}, {features.No, "None of them has"}, {features.Unknown, "Of none could be told"}} {
		if names := same[group.answer]; len(names) > 0 {
			p.printf("<p class=\"dim\">%s %s.</p>\n", group.text, esc(strings.Join(names, ", ")))
		}
	}
}

func (m *Matrix) scenarioTable(p *writer) {
	p.printf("<h2>What the scenarios see</h2>\n<p class=\"key\">")
	for _, s := range []struct {
		state State
		text  string
	}{{Equal, "as liburing under the newest kernel"}, {Different, "something else; why, the list below has for each kernel with liburing"}, {Skipped, "left out: the kernel or the library lacks what it takes"}, {Disagree, "the backends disagree"}, {Failed, "no good end"}} {
		p.printf("<span class=\"%s\">%s</span>%s", s.state, marks[s.state], s.text)
	}
	p.printf("</p>\n<p class=\"dim\">Left half: liburing, right half: purego. A cell stands for all ring modes of a scenario, with the worst of them; the pointer shows which.</p>\n")
	p.printf("<div class=\"scroll\"><table>")
	m.head(p, "")
	p.printf("<tbody>\n")
	for _, s := range m.Scenarios {
		p.printf("<tr><th title=\"%s\">%s</th>", esc(s.Doc), esc(s.Name))
		for i, c := range s.Cells {
			title := m.Kernels[i].Name
			if c.Text != "" {
				title += "\n" + c.Text
			}
			p.printf("<td class=\"two\" title=\"%s\">", esc(title))
			for b := range Backends {
				p.printf("<span class=\"%s\">%s</span>", c.States[b], orSpace(marks[c.States[b]]))
			}
			p.printf("</td>")
		}
		p.printf("</tr>\n")
	}
	p.printf("</tbody></table></div>\n")
}

func orSpace(s string) string {
	if s == "" {
		return "&nbsp;"
	}
	return s
}

func esc(s string) string { return html.EscapeString(s) }

// A writer remembers its first error.
type writer struct {
	w   io.Writer
	err error
}

func (p *writer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
