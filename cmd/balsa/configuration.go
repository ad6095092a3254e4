package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A flag that the command line leaves out is taken from the environment (BALSA_ELECTION_TIMEOUT for
// --election-timeout), and what that leaves out, from the file that --config names. Both hold for every
// command; each takes what it has a flag for.

// given is a value from a file, and where it stands.
type given struct {
	text  string
	where string // as in balsa.toml:3
}

// configure fills in the flags of a command. It names everything that is wrong at once.
func (c *console) configure(cmd *cobra.Command) error {
	if variable, set := os.LookupEnv(variable("config")); c.config == "" && set {
		c.config = variable
	}
	file, wrong := readConfig(c.config, cmd.Root())
	c.origins = map[string]string{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Hidden || f.Name == "config" || f.Name == "help" {
			return
		}
		value, found := file[f.Name]
		if text, set := os.LookupEnv(variable(f.Name)); set {
			value, found = given{text, variable(f.Name)}, true
		}
		if !found {
			return
		}
		if cmd.Flags().Set(f.Name, value.text) != nil {
			wrong.add("%s: %q is no value for --%s: write %s", value.where, value.text, f.Name,
				kind(f.Value.Type()))
			return
		}
		c.origins[f.Name] = value.where
	})
	return joined(exitUsage, wrong)
}

// variable names the environment variable of a flag.
func variable(flag string) string {
	return "BALSA_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// kind says what a flag's value looks like.
func kind(of string) string {
	switch of {
	case "bool":
		return "true or false"
	case "duration":
		return "a duration, as in 150ms"
	case "int64":
		return "a whole number within int64"
	case "int", "uint64":
		return "a whole number"
	case "index":
		return "the index of an entry, from 1 on"
	case "stringSlice":
		return "values with commas between them"
	}
	return "a " + of
}

// flagMistake says what is wrong with a flag on the command line. Of a value that Go's own parsers refuse it
// says what to write instead, as of one in a file: they would speak of themselves.
func flagMistake(err error) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return err
	}
	f, why := bad.GetFlag(), bad.Unwrap()
	number, of := (*strconv.NumError)(nil), f.Value.Type()
	if errors.As(why, &number) || of == "duration" || of == "stringSlice" {
		why = errors.New("write " + kind(of))
	}
	return fmt.Errorf("%q is no value for --%s: %w", bad.GetValue(), f.Name, why)
}

// readConfig reads the file's keys, which are the names of flags. Without a path there are none.
func readConfig(path string, root *cobra.Command) (found map[string]given, wrong mistakes) {
	found = map[string]given{}
	if path == "" {
		return found, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		wrong.add("--config: %w: name a file that can be read", err)
		return found, wrong
	}
	var keys map[string]any
	if err := toml.Unmarshal(content, &keys); err != nil {
		line := 1
		var detail *toml.DecodeError
		if errors.As(err, &detail) {
			line, _ = detail.Position()
		}
		wrong.add("%s:%d: this is no TOML: %s", path, line, strings.TrimPrefix(err.Error(), "toml: "))
		return found, wrong
	}
	known := flagNames(root)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		where := fmt.Sprintf("%s:%d", path, lineOf(key, string(content)))
		text, ok := scalar(keys[key])
		switch {
		case !slices.Contains(known, key):
			wrong.add("%s: there is no setting %q%s", where, key, suggestion(key, known))
		case !ok:
			wrong.add("%s: %s must be a text, a number, true or false, or a list of texts", where, key)
		default:
			found[key] = given{text, where}
		}
	}
	return found, wrong
}

// lineOf finds the line on which a key stands.
func lineOf(key, content string) int {
	at := regexp.MustCompile(`(?m)^[ \t]*\[?["']?` + regexp.QuoteMeta(key) + `["']?[ \t]*[=.\]]`).
		FindStringIndex(content)
	if at == nil {
		return 1
	}
	return 1 + strings.Count(content[:at[0]], "\n")
}

// scalar writes a value as it would be typed after its flag.
func scalar(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case bool, int64, float64:
		return fmt.Sprint(v), true
	case []any:
		var parts []string
		for _, part := range v {
			text, ok := part.(string)
			if !ok {
				return "", false
			}
			parts = append(parts, text)
		}
		return strings.Join(parts, ","), true
	}
	return "", false
}

// flagNames lists the flags of all commands, sorted, without those that no file can set.
func flagNames(cmd *cobra.Command) (names []string) {
	note := func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "config" && f.Name != "help" {
			names = append(names, f.Name)
		}
	}
	cmd.Flags().VisitAll(note)
	cmd.PersistentFlags().VisitAll(note)
	for _, below := range cmd.Commands() {
		names = append(names, flagNames(below)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// suggestion names the setting that was probably meant, if one is near.
func suggestion(key string, known []string) string {
	typed := strings.ReplaceAll(strings.ToLower(key), "_", "-")
	nearest := slices.MinFunc(known, func(a, b string) int {
		return cmp.Compare(distance(typed, a), distance(typed, b))
	})
	if distance(typed, nearest) > max(2, len(key)/3) {
		return ": see balsa help serve"
	}
	return fmt.Sprintf(": did you mean %s?", nearest)
}

// distance counts the letters to insert, to remove or to replace between two words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			row[j+1] = min(cost, above+1, row[j]+1)
			diagonal = above
		}
	}
	return row[len(b)]
}

// origin says of the flags that a sentence names where their values come from, unless that is the command
// line.
func (c *console) origin(sentence string) string {
	var from []string
	between := func(r rune) bool { return strings.ContainsRune(" ,:;()", r) }
	for _, word := range strings.FieldsFunc(sentence, between) {
		name, isFlag := strings.CutPrefix(word, "--")
		if where := c.origins[name]; isFlag && where != "" {
			if said := "--" + name + " comes from " + where; !slices.Contains(from, said) {
				from = append(from, said)
			}
		}
	}
	if len(from) == 0 {
		return ""
	}
	return " (" + strings.Join(from, ", ") + ")"
}
