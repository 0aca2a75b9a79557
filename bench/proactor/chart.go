package main

// Curves from results: the ratio of CPU time to that of the base, by number.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"math"
	"os"
	"slices"
	"strings"
)

// A point is one row of a table, as -json keeps it.
type point struct {
	What    string  `json:"what"`
	N       int     `json:"n"`
	Variant string  `json:"variant"`
	CPU     float64 `json:"cpu_ns"`
	Ratio   float64 `json:"ratio"`
	Low     float64 `json:"quartile1"`
	High    float64 `json:"quartile3"`
	Rate    float64 `json:"per_second"`
	P99     float64 `json:"p99_us"`
	Rounds  int     `json:"rounds"`
}

func round(v, by float64) float64 { return math.Round(v*by) / by }

func load(name string) (points []point) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(b, &points)
	}
	if err != nil {
		log.Fatal(err)
	}
	return points
}

// save adds points to the file of -json, in place of older ones of the same kind.
func save(points []point) {
	if *jsonFile == "" {
		return
	}
	all := slices.DeleteFunc(load(*jsonFile), func(old point) bool {
		return slices.ContainsFunc(points, func(p point) bool {
			return p.What == old.What && p.N == old.N && p.Variant == old.Variant
		})
	})
	var lines []string
	for _, p := range append(all, points...) {
		b, err := json.Marshal(p)
		if err != nil {
			log.Fatal(err)
		}
		lines = append(lines, "\t"+string(b))
	}
	if err := os.WriteFile(*jsonFile, []byte("[\n"+strings.Join(lines, ",\n")+"\n]\n"), 0o644); err != nil {
		log.Fatal(err)
	}
}

// chart draws a panel for each kind of table.
func chart(from, to string) {
	points := load(from)
	var kinds []string
	for _, p := range points {
		if !slices.Contains(kinds, p.What) && p.What != "reads at a time" {
			kinds = append(kinds, p.What)
		}
	}
	const width, height, left, top, most = 360, 240, 50, 40, 1.6
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", len(kinds)*(width+left+70)+20, height+top+60)
	fmt.Fprintln(&b, `<rect width="100%" height="100%" fill="#fff"/>`)
	colours := []string{"#777", "#0a58a8", "#c2410c", "#15803d", "#7e22ce", "#a16207"}
	for k, kind := range kinds {
		var numbers []int
		var names []string
		for _, p := range points {
			if p.What != kind {
				continue
			}
			if !slices.Contains(numbers, p.N) {
				numbers = append(numbers, p.N)
			}
			if !slices.Contains(names, p.Variant) {
				names = append(names, p.Variant)
			}
		}
		slices.Sort(numbers)
		x0 := float64(k*(width+left+70) + left)
		x := func(n int) float64 {
			return x0 + width*float64(slices.Index(numbers, n))/math.Max(1, float64(len(numbers)-1))
		}
		y := func(ratio float64) float64 { return top + height*(1-math.Min(ratio, most)/most) }
		fmt.Fprintf(&b, `<text x="%.0f" y="20" font-weight="bold">CPU time, ratio to %s, by %s</text>`+"\n", x0, names[0], kind)
		for r := 0.0; r <= most; r += 0.4 {
			fmt.Fprintf(&b, `<path d="M%.1f %.1fh%d" stroke="#ddd"/><text x="%.1f" y="%.1f" text-anchor="end">%.1f</text>`+"\n", x0, y(r), width, x0-6, y(r)+4, r)
		}
		for _, n := range numbers {
			fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`+"\n", x(n), top+height+18, n)
		}
		for i, name := range names {
			colour := colours[i%len(colours)]
			path, last := "", 0.0
			for _, n := range numbers {
				at := slices.IndexFunc(points, func(p point) bool { return p.What == kind && p.N == n && p.Variant == name })
				if at < 0 {
					continue
				}
				p := points[at]
				step := "L"
				if path == "" {
					step = "M"
				}
				last = y(p.Ratio)
				path += fmt.Sprintf("%s%.1f %.1f", step, x(n), last)
				fmt.Fprintf(&b, `<path d="M%.1f %.1fV%.1f" stroke="%s" stroke-width="3" opacity=".3"/><circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x(n), y(p.Low), y(p.High), colour, x(n), last, colour)
			}
			fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/><text x="%.1f" y="%d" fill="%s">%s</text>`+"\n", path, colour, x0+width+10, top+12+i*16, colour, name)
		}
	}
	fmt.Fprintln(&b, "</svg>")
	if err := os.WriteFile(to, []byte(b.String()), 0o644); err != nil {
		log.Fatal(err)
	}
}
