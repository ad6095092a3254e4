package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"
)

// format is how a reading verb prints: table for people, json for programs, plain for shells.
type format string

func (f *format) register(flags *pflag.FlagSet, standard string) {
	flags.StringVarP((*string)(f), "output", "o", standard, "table, json or plain")
}

func (f format) check() error {
	if !slices.Contains([]format{"table", "json", "plain"}, f) {
		return fail(exitUsage, "-o is %q: write table, json or plain", string(f))
	}
	return nil
}

// json prints a value as one indented document.
func (c *console) json(v any) error {
	e := json.NewEncoder(c.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// table prints rows in columns; plain separates them by tabs and leaves out the head.
func (c *console) table(f format, head []string, rows [][]string) error {
	if f == "plain" {
		for _, row := range rows {
			if _, err := fmt.Fprintln(c.out, strings.Join(row, "\t")); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{head}, rows...) {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}
