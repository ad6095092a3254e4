package sim

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Tokens of the script language.
//
//	propose  @ann  put  x  "two words"  ;   hold  n1  ->  n2  type  =  append  |  vote   # remark
//	└────── words ──────┘  └─ quoted ─┘ end                  sign        sign       sign

type tokenKind uint8

const (
	endToken tokenKind = iota // of a statement: a line's end, a semicolon, or the text's end
	wordToken
	quotedToken // text is what the quotes enclose, unescaped
	signToken
	remarkToken
)

// token is one piece of the text, at a line and a column counted from 1.
type token struct {
	kind         tokenKind
	text         string
	line, column int
}

// String says what stands there, for messages.
func (t token) String() string {
	switch {
	case t.kind == endToken:
		return "the end of the statement"
	case t.kind == quotedToken:
		return strconv.Quote(t.text)
	case len(t.text) > 40: // a message stays a sentence
		return fmt.Sprintf("%q…", strings.ToValidUTF8(t.text[:40], ""))
	}
	return fmt.Sprintf("%q", t.text)
}

func (t token) is(sign string) bool { return t.kind == signToken && t.text == sign }

// SyntaxError says in one sentence what is wrong with a script, and where.
type SyntaxError struct {
	Name         string // of the file; may be empty
	Line, Column int    // from 1, columns in characters
	Sentence     string // without the place, without a full stop
}

// Error is the place and the sentence.
func (e *SyntaxError) Error() string {
	place := fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Sentence)
	if e.Name != "" {
		return e.Name + ", " + place
	}
	return place
}

func (t token) wrong(format string, args ...any) error {
	return &SyntaxError{Line: t.line, Column: t.column, Sentence: fmt.Sprintf(format, args...)}
}

// maxScript bounds a script: a hostile file must not become a hostile amount of memory.
const maxScript = 1 << 20

// scanner cuts a text into tokens.
type scanner struct {
	text         string // what is left
	line, column int
}

// scan returns all tokens; the last is an end.
func scan(text string) ([]token, error) {
	s := scanner{text: text, line: 1, column: 1}
	if len(text) > maxScript {
		return nil, s.here().wrong("the script has %d bytes, at most %d are read", len(text), maxScript)
	}
	if !utf8.ValidString(text) {
		for len(s.text) > 0 && !strings.HasPrefix(s.text, "\uFFFD") {
			r, size := utf8.DecodeRuneInString(s.text)
			if r == utf8.RuneError && size == 1 {
				break
			}
			s.skip(1)
		}
		return nil, s.here().wrong("the script is not text in UTF-8")
	}
	var tokens []token
	for {
		t, err := s.next()
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
		if t.kind == endToken && s.text == "" && t.text == "" {
			return tokens, nil
		}
	}
}

func (s *scanner) here() token { return token{line: s.line, column: s.column} }

// skip moves over a number of characters.
func (s *scanner) skip(characters int) {
	for range characters {
		r, size := utf8.DecodeRuneInString(s.text)
		s.text = s.text[size:]
		s.column++
		if r == '\n' {
			s.line, s.column = s.line+1, 1
		}
	}
}

func (s *scanner) next() (token, error) {
	for s.text != "" && s.text[0] != '\n' {
		if r, _ := utf8.DecodeRuneInString(s.text); !unicode.IsSpace(r) {
			break
		}
		s.skip(1)
	}
	t := s.here()
	switch {
	case s.text == "":
		return t, nil
	case s.text[0] == '\n', s.text[0] == ';':
		t.text = s.text[:1]
		s.skip(1)
		return t, nil
	case s.text[0] == '#':
		line, _, _ := strings.Cut(s.text, "\n")
		t.kind, t.text = remarkToken, strings.TrimSpace(line[1:])
		s.skip(utf8.RuneCountInString(line))
		return t, nil
	case s.text[0] == '"':
		return s.quoted(t)
	}
	if sign := signAt(s.text); sign != "" {
		t.kind, t.text = signToken, sign
	} else {
		t.kind, t.text = wordToken, wordAt(s.text)
	}
	s.skip(utf8.RuneCountInString(t.text))
	return t, nil
}

// quoted reads a text in quotes, with Go's escapes.
func (s *scanner) quoted(t token) (token, error) {
	line, _, _ := strings.Cut(s.text, "\n")
	end := 1
	for end < len(line) && line[end] != '"' {
		if line[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(line) {
		return t, t.wrong("the text in quotes does not end on its line")
	}
	text, err := strconv.Unquote(line[:end+1])
	if err != nil {
		return t, t.wrong(`the text in quotes has an escape that is not one: write \" or \\ or \n or \t`)
	}
	t.kind, t.text = quotedToken, text
	s.skip(utf8.RuneCountInString(line[:end+1]))
	return t, nil
}

// signAt returns the sign that a text begins with, empty when it begins with a word. A colon is a sign
// where a word ends with it, so that a value may contain one.
func signAt(text string) string {
	for _, sign := range []string{"->", "!=", "<=", ">=", "=", "<", ">", "|", "(", ")"} {
		if strings.HasPrefix(text, sign) {
			return sign
		}
	}
	if text[0] == ':' && endsWord(text[1:]) {
		return ":"
	}
	return ""
}

// wordAt returns the word that a text begins with.
func wordAt(text string) string {
	for at, r := range text {
		if at > 0 && (r == ';' || r == '"' || unicode.IsSpace(r) || signAt(text[at:]) != "") {
			return text[:at]
		}
	}
	return text
}

func endsWord(text string) bool {
	r, _ := utf8.DecodeRuneInString(text)
	return text == "" || r == ';' || r == '"' || unicode.IsSpace(r)
}

// written returns a word as a script writes it: in quotes where it would be read as something else.
func written(word string) string {
	if endsWord(word) || word[0] == '#' || signAt(word) != "" || wordAt(word) != word ||
		!utf8.ValidString(word) {
		return strconv.Quote(word)
	}
	return word
}
