package sim

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"balsa/raft"
)

const (
	defaultNodes = 3
	// maxNodes is the largest cluster that a story is told of.
	maxNodes = 9
)

// ParseScenario reads a script; name is that of its file, for messages. Every error is a *SyntaxError: one
// sentence with the line and the column.
func ParseScenario(name, text string) (*Scenario, error) {
	tokens, err := scan(text)
	p := parser{tokens: tokens, nodes: defaultNodes}
	s := &Scenario{Name: name}
	for err == nil && p.at < len(p.tokens) {
		s.Statements, err = p.statement(s.Statements)
	}
	if err == nil {
		err = s.checkOptions()
	}
	if wrong, is := err.(*SyntaxError); is {
		wrong.Name = name
		return nil, wrong
	}
	return s, err
}

// checkOptions refuses options that contradict each other, at the last of them.
func (s *Scenario) checkOptions() error {
	var last token
	var settings []setting
	for _, statement := range s.Statements {
		if a, is := statement.act.(options); is {
			last = token{line: statement.Line, column: statement.Column}
			settings = append(settings, a.settings...)
		}
	}
	if _, err := worldOptions(defaultNodes, settings); err != nil {
		return last.wrong("%v", err)
	}
	return nil
}

// parser reads tokens from left to right, and remembers of what it has read what later statements refer to.
type parser struct {
	tokens  []token
	at      int
	line    int // of the last statement
	nodes   int
	spares  int
	acted   bool     // something has happened: the settings are settled
	labels  []string // of the main story
	names   []string // all labels and branches, each once
	branchd bool     // a branch has begun
}

// statement reads the next one, if the next token begins one.
func (p *parser) statement(before []Statement) ([]Statement, error) {
	t := p.peek()
	var a act
	var err error
	switch t.kind {
	case endToken:
		p.at++
		return before, nil
	case remarkToken:
		p.at++
		a, err = p.remark(t)
	case wordToken:
		p.at++
		a, err = p.operation(t)
		if err == nil {
			err = p.end()
		}
	default:
		err = t.wrong("a statement begins with an operation, not with %v; known operations are %s", t,
			operationNames())
	}
	if err != nil {
		return nil, err
	}
	p.line = p.tokens[p.at-1].line
	return append(before, Statement{Line: t.line, Column: t.column, end: p.line, act: a}), nil
}

// remark is a label where it begins a line with a name in brackets.
func (p *parser) remark(t token) (act, error) {
	inner, found := strings.CutPrefix(t.text, "(")
	name, text, closed := strings.Cut(inner, ")")
	if !found || !closed || p.line == t.line || !plainName(name) || text != "" && text[0] != ' ' {
		return remark{t.text}, nil
	}
	return label{name: name, text: strings.TrimSpace(text), inRemark: true}, p.define(t, name)
}

// define enters the name of a point or of a branch.
func (p *parser) define(t token, name string) error {
	if slices.Contains(p.names, name) {
		return t.wrong("the name (%s) is taken by an earlier line", name)
	}
	p.names = append(p.names, name)
	if !p.branchd {
		p.labels = append(p.labels, name)
	}
	return nil
}

func (p *parser) operation(t token) (act, error) {
	for _, o := range operations() {
		if o.name == t.text {
			if o.setting && p.acted {
				return nil, t.wrong("%s must stand before the first statement that makes something happen",
					o.name)
			}
			p.acted = p.acted || !o.setting
			return o.parse(p, t)
		}
	}
	return nil, t.wrong("there is no operation %v%s; known operations are %s", t,
		perhaps(t.text, strings.Split(operationNames(), ", ")), operationNames())
}

func (p *parser) peek() token { return p.tokens[min(p.at, len(p.tokens)-1)] }

func (p *parser) take() token {
	t := p.peek()
	if t.kind != endToken {
		p.at++
	}
	return t
}

// word takes the next token if it is this word, or this sign.
func (p *parser) word(text string) bool {
	if t := p.peek(); (t.kind == wordToken || t.kind == signToken) && t.text == text {
		p.at++
		return true
	}
	return false
}

// sign takes a sign that must be there.
func (p *parser) sign(text string) error {
	if t := p.peek(); !p.word(text) {
		return t.wrong("here %q must stand, not %v", text, t)
	}
	return nil
}

// end makes sure that nothing follows.
func (p *parser) end() error {
	if t := p.peek(); t.kind != endToken && t.kind != remarkToken {
		return t.wrong("the statement should end before %v: put a semicolon or a new line between two", t)
	}
	return nil
}

// text takes a word or a text in quotes; what says what it is for.
func (p *parser) text(what string) (string, error) {
	t := p.peek()
	if t.kind != wordToken && t.kind != quotedToken {
		return "", t.wrong("here %s must stand, not %v", what, t)
	}
	p.at++
	return t.text, nil
}

func (p *parser) quoted(what string) (string, error) {
	t := p.peek()
	if t.kind != quotedToken {
		return "", t.wrong(`here %s must stand in "quotes", not %v`, what, t)
	}
	p.at++
	return t.text, nil
}

func (p *parser) number(what string) (uint64, error) {
	t := p.take()
	n, err := strconv.ParseUint(t.text, 0, 64)
	if t.kind != wordToken || err != nil {
		return 0, t.wrong("here %s must stand, a whole number from 0 up, not %v", what, t)
	}
	return n, nil
}

func (p *parser) time(what string) (Time, error) {
	t := p.take()
	d, err := ParseTime(t.text)
	if t.kind != wordToken || err != nil || d < 0 {
		return 0, t.wrong("here %s must stand, like 250ms, 1.5s or 2m, not %v", what, t)
	}
	if d > 24*Hour {
		return 0, t.wrong("%v is too long: a story lasts a day at most", t)
	}
	return d, nil
}

// node takes n2, or 2.
func (p *parser) node() (raft.NodeID, error) {
	t := p.take()
	id, is := nodeNumber(t)
	if !is {
		return 0, t.wrong("here a node must stand, like n1, not %v", t)
	}
	if all := p.nodes + p.spares; id == 0 || id > uint64(all) {
		return 0, t.wrong("there is no node %v: the nodes are n1 to n%d, and with opt spares=2 the two "+
			"behind them can join", t, all)
	}
	return raft.NodeID(id), nil
}

func nodeNumber(t token) (uint64, bool) {
	id, err := strconv.ParseUint(strings.TrimPrefix(t.text, "n"), 10, 64)
	return id, t.kind == wordToken && err == nil
}

// someNodes takes one node or more, sorted, or `all`, which is nil.
func (p *parser) someNodes() ([]raft.NodeID, error) {
	if p.word("all") {
		return nil, nil
	}
	var ids []raft.NodeID
	for {
		if _, is := nodeNumber(p.peek()); !is && ids != nil {
			return ids, nil
		}
		t := p.peek()
		id, err := p.node()
		if err != nil {
			return nil, err
		}
		at, twice := slices.BinarySearch(ids, id)
		if twice {
			return nil, t.wrong("node %v is named twice", t)
		}
		ids = slices.Insert(ids, at, id)
	}
}

// between takes `n1 n2 -> n3`, or `-> all`.
func (p *parser) between() (*between, error) {
	from, err := p.someNodes()
	if err == nil {
		err = p.sign("->")
	}
	if err != nil {
		return nil, err
	}
	t := p.peek()
	to, err := p.someNodes()
	if err == nil && len(from) == 1 && slices.Equal(from, to) {
		err = t.wrong("a node has no link to itself")
	}
	return &between{from, to}, err
}

// plainName reports whether a word can name a point, an option or a client.
func plainName(name string) bool {
	return name != "" && len(name) <= 40 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// oneOf takes one of some words.
func (p *parser) oneOf(what string, words ...string) (string, error) {
	t := p.take()
	if t.kind != wordToken || !slices.Contains(words, t.text) {
		return "", t.wrong("here %s must stand, one of %s, not %v%s", what, strings.Join(words, ", "), t,
			perhaps(t.text, words))
	}
	return t.text, nil
}

// perhaps is ", perhaps X is meant" for the known word nearest to one that is not known, when it is near.
func perhaps(word string, known []string) string {
	nearest := slices.MinFunc(known, func(a, b string) int {
		return cmp.Or(cmp.Compare(distance(word, a), distance(word, b)), strings.Compare(a, b))
	})
	if distance(word, nearest) > 1+len(nearest)/4 {
		return ""
	}
	return " (perhaps " + nearest + " is meant)"
}

// distance is how many letters must be inserted, removed, replaced or swapped with their neighbour to make
// one word of the other. Of long words only the difference in length counts: nobody means them.
func distance(a, b string) int {
	if len(a) > 40 {
		return len(a)
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			rows[i][j] = min(replace, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
