// Draw makes the pictures and tables of docs/performance.md from the results in
// docs/performance: goal-*.json, full.json and scale.json, as far as they are there.
//
//	go run ./draw DOCS
//
// A table stands between two comments of the page, <!-- table NAME --> and
// <!-- end -->, and is written anew; so is what the run was made with.
package main

import (
	"encoding/json"
	"fmt"
	"html"
	"log"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

type report struct {
	Date, Kernel, CPU, Load, Go, Command string
	CPUs, Rounds, Ms                     int
	Library                              string `json:"liburing"`
	Rows                                 []row
}

type row struct {
	Workload, Mode string
	Depth          int
	Variants       []figures
}

type figures struct {
	Variant  string
	WallNs   float64 `json:"wall_ns"`
	CPUNs    float64 `json:"cpu_ns"`
	Ratio    float64
	Q1, Q3   float64
	Wall     float64 `json:"wall_ratio"`
	Allocs   float64
	Syscalls float64
}

func (r row) key() string { return fmt.Sprintf("%s, %s, %d", r.Workload, r.Mode, r.Depth) }

func (r row) of(variant string) (figures, bool) {
	i := slices.IndexFunc(r.Variants, func(f figures) bool { return f.Variant == variant })
	if i < 0 {
		return figures{}, false
	}
	return r.Variants[i], true
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: draw DOCS")
	}
	if err := draw(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func read(name string) (r report, err error) {
	data, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	return r, err
}

func draw(docs string) error {
	dir := filepath.Join(docs, "performance")
	names, err := filepath.Glob(filepath.Join(dir, "goal-*.json"))
	if err != nil {
		return err
	}
	var goals []report
	for _, n := range names {
		r, err := read(n)
		if err != nil {
			return err
		}
		goals = append(goals, r)
	}
	tables := map[string]string{}
	pictures := map[string]string{}
	if len(goals) > 0 {
		tables["goal"] = spread(goals)
		tables["made"] = made(goals[0], len(goals))
		nop, other := split(goals[0].Rows)
		pictures["ratio.svg"] = bars("CPU time per NOP against C, by batch; whiskers are quartiles by round", nop, []string{"purego", "liburing"})
		pictures["work.svg"] = bars("CPU time per operation against C", other, []string{"purego", "liburing", "os", "fio"})
		pictures["crossing.svg"] = crossing(nop)
	}
	if full, err := read(filepath.Join(dir, "full.json")); err == nil {
		tables["full"] = everything(full.Rows)
	}
	if scale, err := read(filepath.Join(dir, "scale.json")); err == nil {
		tables["scale"] = everything(scale.Rows)
		pictures["scale.svg"] = scaling(scale.Rows)
	}
	for name, svg := range pictures {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(svg), 0o644); err != nil {
			return err
		}
	}
	page := filepath.Join(docs, "performance.md")
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	between := regexp.MustCompile(`(?s)(<!-- table (\w+) -->\n).*?(<!-- end -->)`)
	out := between.ReplaceAllStringFunc(string(text), func(old string) string {
		m := between.FindStringSubmatch(old)
		if t, ok := tables[m[2]]; ok {
			return m[1] + "\n" + t + "\n" + m[3]
		}
		return old
	})
	return os.WriteFile(page, []byte(out), 0o644)
}

func split(rows []row) (nop, other []row) {
	for _, r := range rows {
		if r.Workload == "nop" {
			nop = append(nop, r)
		} else {
			other = append(other, r)
		}
	}
	return nop, other
}

func made(r report, runs int) string {
	return fmt.Sprintf("Linux %s, %s, %d CPUs, %s, liburing %s, %s; runs: %d, each of %d rounds of %d ms; the machine's load averages as the first began: %s.\n",
		r.Kernel, r.CPU, r.CPUs, r.Go, r.Library, r.Date, runs, r.Rounds, r.Ms, r.Load)
}

// spread is the table of the runs that count: the median of the runs' ratios, and
// the least and the most.
func spread(runs []report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| workload, mode, depth | C, ns | purego | liburing | os | fio | allocs/op |\n|---|---:|---:|---:|---:|---:|---:|\n")
	for _, r := range runs[0].Rows {
		cells := map[string]string{}
		c, _ := r.of("c")
		allocs := 0.0
		for _, v := range []string{"purego", "liburing", "os", "fio"} {
			var all []float64
			for _, run := range runs {
				for _, other := range run.Rows {
					if f, ok := other.of(v); ok && other.key() == r.key() {
						all = append(all, f.Ratio)
						if v == "purego" || v == "liburing" {
							allocs = max(allocs, f.Allocs)
						}
					}
				}
			}
			if len(all) > 0 {
				slices.Sort(all)
				cells[v] = fmt.Sprintf("%.2f (%.2f–%.2f)", all[len(all)/2], all[0], all[len(all)-1])
			}
		}
		fmt.Fprintf(&b, "| %s | %.1f | %s | %s | %s | %s | %.4f |\n", r.key(), c.CPUNs, cells["purego"], cells["liburing"], cells["os"], cells["fio"], allocs)
	}
	return b.String()
}

func everything(rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| workload, mode, depth | variant | CPU ns/op | ratio to C | quartiles | wall ns/op | syscalls/op | allocs/op |\n|---|---|---:|---:|---:|---:|---:|---:|\n")
	for _, r := range rows {
		for _, f := range r.Variants {
			calls, ratio, quart := "", "", ""
			if f.Syscalls >= 0 {
				calls = fmt.Sprintf("%.3f", f.Syscalls)
			}
			if f.Ratio > 0 {
				ratio, quart = fmt.Sprintf("%.3f", f.Ratio), fmt.Sprintf("%.3f–%.3f", f.Q1, f.Q3)
			}
			fmt.Fprintf(&b, "| %s | %s | %.1f | %s | %s | %.1f | %s | %.4f |\n", r.key(), f.Variant, f.CPUNs, ratio, quart, f.WallNs, calls, f.Allocs)
		}
	}
	return b.String()
}

// Pictures.

const (
	width, height             = 860, 420
	left, right, top, bottom  = 60, 20, 50, 110
	plotWidth, plotHeight     = width - left - right, height - top - bottom
	background, ink, gridLine = "#ffffff", "#222222", "#dddddd"
)

var colours = map[string]string{"c": "#444444", "purego": "#0072b2", "liburing": "#e69f00", "os": "#009e73", "fio": "#cc79a7"}

type svg struct{ strings.Builder }

func newSVG(title string) *svg {
	s := &svg{}
	fmt.Fprintf(s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" fill="%s">`+"\n", width, height, ink)
	fmt.Fprintf(s, `<title>%s</title><rect width="%d" height="%d" fill="%s"/>`+"\n", html.EscapeString(title), width, height, background)
	s.text(width/2, 22, "middle", 14, title)
	return s
}

func (s *svg) text(x, y float64, anchor string, size int, t string) {
	fmt.Fprintf(s, `<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d">%s</text>`+"\n", x, y, anchor, size, html.EscapeString(t))
}

func (s *svg) line(x1, y1, x2, y2 float64, colour string, w float64) {
	fmt.Fprintf(s, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%.1f"/>`+"\n", x1, y1, x2, y2, colour, w)
}

func (s *svg) legend(names []string) {
	for i, n := range names {
		x := float64(left + 110*i)
		fmt.Fprintf(s, `<rect x="%.1f" y="32" width="12" height="12" fill="%s"/>`+"\n", x, colours[n])
		s.text(x+17, 43, "start", 12, n)
	}
}

func (s *svg) end() string { return s.String() + "</svg>\n" }

// bars draws ratios to C from 0.5 up, with 1 as a thick line.
func bars(title string, rows []row, variants []string) string {
	s := newSVG(title)
	s.legend(variants)
	highest := 1.5
	for _, r := range rows {
		for _, v := range variants {
			if f, ok := r.of(v); ok {
				highest = max(highest, f.Ratio*1.02, f.Q3)
			}
		}
	}
	highest = min(highest, 3)
	const lowest = 0.5
	y := func(v float64) float64 {
		return top + plotHeight*(1-(min(v, highest)-lowest)/(highest-lowest))
	}
	for v := lowest; v <= highest; v += 0.25 {
		s.line(left, y(v), left+plotWidth, y(v), gridLine, 1)
		s.text(left-6, y(v)+4, "end", 11, fmt.Sprintf("%.2f", v))
	}
	slot := float64(plotWidth) / float64(len(rows))
	bar := slot * 0.8 / float64(len(variants))
	for i, r := range rows {
		x := left + slot*float64(i) + slot*0.1
		for j, v := range variants {
			f, ok := r.of(v)
			if !ok {
				continue
			}
			at := x + bar*float64(j)
			fmt.Fprintf(s, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"><title>%s %s: %.3f</title></rect>`+"\n",
				at, y(f.Ratio), bar*0.9, max(y(lowest)-y(f.Ratio), 0), colours[v], html.EscapeString(r.key()), v, f.Ratio)
			s.line(at+bar*0.45, y(f.Q1), at+bar*0.45, y(f.Q3), ink, 1.5)
			s.text(at+bar*0.45, y(max(f.Ratio, f.Q3))-4, "middle", 9, fmt.Sprintf("%.2f", f.Ratio))
		}
		cx, cy := left+slot*(float64(i)+0.5), float64(top+plotHeight+14)
		fmt.Fprintf(s, `<text x="%.1f" y="%.1f" text-anchor="end" font-size="10" transform="rotate(-35 %.1f %.1f)">%s</text>`+"\n", cx, cy, cx, cy, html.EscapeString(r.key()))
	}
	s.line(left, y(1), left+plotWidth, y(1), ink, 2)
	return s.end()
}

type point struct{ x, y float64 }

type series struct {
	name, colour string
	dashed       bool
	points       []point
}

// curves draws lines over two logarithmic axes.
func curves(title, xLabel, yLabel string, all []series) string {
	s := newSVG(title)
	lowX, highX, lowY, highY := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, one := range all {
		for _, p := range one.points {
			lowX, highX = min(lowX, p.x), max(highX, p.x)
			lowY, highY = min(lowY, p.y), max(highY, p.y)
		}
	}
	lowY, highY = lowY*0.9, highY*1.1
	x := func(v float64) float64 {
		return left + plotWidth*(math.Log(v)-math.Log(lowX))/max(math.Log(highX)-math.Log(lowX), 1e-9)
	}
	y := func(v float64) float64 {
		return top + plotHeight*(1-(math.Log(v)-math.Log(lowY))/(math.Log(highY)-math.Log(lowY)))
	}
	for _, v := range []float64{20, 30, 50, 75, 100, 150, 200, 300, 400, 500, 700, 1000, 2000} {
		if v >= lowY && v <= highY {
			s.line(left, y(v), left+plotWidth, y(v), gridLine, 1)
			s.text(left-6, y(v)+4, "end", 11, fmt.Sprint(v))
		}
	}
	for i, one := range all {
		dash := ""
		if one.dashed {
			dash = ` stroke-dasharray="6 4"`
		}
		path := ""
		for _, p := range one.points {
			path += fmt.Sprintf("%.1f,%.1f ", x(p.x), y(p.y))
			fmt.Fprintf(s, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"><title>%s at %g: %.1f</title></circle>`+"\n", x(p.x), y(p.y), one.colour, html.EscapeString(one.name), p.x, p.y)
			s.text(x(p.x), top+plotHeight+16, "middle", 10, fmt.Sprint(p.x))
		}
		fmt.Fprintf(s, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"%s/>`+"\n", path, one.colour, dash)
		lx, ly := float64(left+200*(i%4)), float64(height-40+18*(i/4))
		fmt.Fprintf(s, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="2"%s/>`+"\n", lx, ly-4, lx+24, ly-4, one.colour, dash)
		s.text(lx+30, ly, "start", 12, one.name)
	}
	s.text(left+plotWidth/2, top+plotHeight+34, "middle", 12, xLabel)
	s.text(left, top-8, "start", 12, yLabel)
	return s.end()
}

func crossing(rows []row) string {
	var all []series
	for _, mode := range []string{"plain", "defer"} {
		for _, v := range []string{"c", "purego", "liburing"} {
			one := series{name: v + ", " + mode, colour: colours[v], dashed: mode == "defer"}
			for _, r := range rows {
				if f, ok := r.of(v); ok && r.Mode == mode {
					one.points = append(one.points, point{float64(r.Depth), f.CPUNs})
				}
			}
			all = append(all, one)
		}
	}
	return curves("What a NOP costs, by the number that one crossing carries", "NOPs in a submission", "CPU ns per NOP", all)
}

func scaling(rows []row) string {
	var all []series
	for _, v := range []string{"c", "purego", "liburing"} {
		filled := series{name: v + ", filled", colour: colours[v]}
		part := series{name: v + ", 32 at a time", colour: colours[v], dashed: true}
		for _, r := range rows {
			var entries int
			f, ok := r.of(v)
			if _, err := fmt.Sscanf(r.Mode, "plain,entries=%d", &entries); err != nil || !ok {
				continue
			}
			if r.Depth == entries {
				filled.points = append(filled.points, point{float64(entries), f.CPUNs})
			} else {
				part.points = append(part.points, point{float64(entries), f.CPUNs})
			}
		}
		all = append(all, filled, part)
	}
	return curves("What a NOP costs, by the size of the ring", "entries of the ring", "CPU ns per NOP", all)
}
