// Package mutants is the catalogue of bugs that the simulator must find, and what puts one into a program.
//
// A check that never fails proves nothing. Each mutant is a small edit of the sources that puts in a bug
// which somebody had, or which a rule of this program exists to prevent. The edit is made in a copy, which
// the compiler reads in place of the file (go build -overlay): the sources stay as they are, and the shipped
// program has no switches that break a rule.
//
// The catalogue is text, so that it reads as a list of bugs. A mutant is a paragraph of fields, then for each
// file it touches the edit as a diff, in which a line stands for itself behind its first character:
//
//	mutant   commit-old-term
//	bug      An entry of an earlier term is committed as soon as a majority holds it (Figure 8).
//	from     B3, lesson 6
//	breaks   LeaderCompleteness, StateMachineSafety
//	killer   sim replay sim/testdata/scenarios/figure8.balsa
//	in       raft/commit.go
//	-	if c.log.id(index).Term != c.hard.Term {
//	+	if false {
//
// The lines that begin with "-" or a blank must stand in the file, together, exactly once; those that begin
// with "+" or a blank replace them. An empty line ends a mutant, and "#" begins a comment.
//
//	bug      what is wrong with the program, and what comes of it
//	from     where the bug was seen: a number of the list of others' bugs, a lesson, or a section of a paper
//	breaks   the properties of package sim of which one is expected to fail
//	killer   a command that must fail because of it: "sim run …" or "sim replay …" of the balsa command,
//	         or "go test …". The first that kills is the killer. Without one, Hunts are run.
//	reason   why the simulator cannot kill it; required where a killer is a test
package mutants
