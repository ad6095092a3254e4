package balsa_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// balsa continues an earlier system, a person's way into Raft. What that system could do is the floor: it is
// numbered O1 to O27, clause by clause, and each clause names the tests that hold it here, or the capability
// that will bring it. A clause that is lost, or a test that is renamed, fails TestOrigin.

// clause is one thing that must work.
type clause struct {
	row, what string
	// proofs are tests, each "folder Name", separated by semicolons. Name is a function, or a transcript in
	// the folder's testdata, or "promise: " and a subtest of the suite that the folder holds.
	proofs  string
	planned string // instead of proofs: one of capabilities
}

// capabilities are what will bring the clauses that are not there yet.
var capabilities = words("leadership-transfer tcp learning chaos")

var origin = []clause{
	{"O1", "the core is synchronous and knows no transport",
		". TestTidy; raft TestSameInputsMakeTheSameServer", ""},
	{"O1", "the node works over any transport",
		". TestACommandIsReplicatedCommittedAndAppliedEverywhere; cmd/balsa TestVerbs", ""},
	{"O1", "the server takes clients' commands", "httpapi TestSubmit; httpapi TestWithTheClient", ""},

	{"O2", "follower, candidate, leader, with RequestVote and AppendEntries and their answers",
		"raft a_server_that_hears_no_leader_is_elected_by_a_quorum; wire " +
			"TestEveryEnvelopeSurvivesTheBinaryForm", ""},
	{"O2", "a higher term steps a node down", "raft a_higher_term_makes_a_leader_and_a_candidate_step_down",
		""},
	{"O2", "except in a pre-vote", "raft pre_vote_a_returning_server_disturbs_nobody; " +
		"raft a_denied_pre_vote_carries_the_term_that_a_lagging_server_lacks", ""},
	{"O2", "except while a leader is heard",
		"raft a_vote_is_not_asked_for_in_vain_while_a_leader_is_heard; " +
			"raft a_deaf_server_without_pre_vote_deposes_nobody", ""},

	{"O3", "a follower refuses commands, with the leader as a hint",
		". TestFollowersRefuseAndNameTheLeader; raft " +
			"only_the_leader_takes_commands_and_the_others_know_who_it_is", ""},
	{"O3", "a candidate refuses commands", ". TestACandidateRefusesAndNamesNobody", ""},
	{"O3", "a node forwards, unless asked not to", ". TestEveryNodeTakesCommandsAndReturnsItsOwnResult; " +
		"replica TestALocalProposalIsNotForwarded; replica TestForwardingUnderRandomSchedules", ""},

	{"O4", "a majority of votes makes a leader",
		"raft a_server_that_hears_no_leader_is_elected_by_a_quorum; " +
			"raft TestHasQuorum; raft repeated_answers_elect_nobody", ""},
	{"O4", "a majority of matches commits",
		"raft an_entry_is_committed_when_a_majority_holds_it_durably; raft TestQuorumIndex", ""},
	{"O4", "next and match are kept for each peer",
		"raft a_late_rejection_does_not_move_the_leader_back; " +
			"raft figure_7_every_follower_is_brought_into_line_with_one_round_trip_per_diverging_term", ""},

	{"O5", "a transport behind an interface, with one suite for all", "transport/memory TestSuite; " +
		"transport/httpjson TestSuite; transport/transporttest promise: messages arrive both ways; " +
		"transport/transporttest promise: every message survives", ""},
	{"O5", "unreachable", "transport/transporttest promise: a node that is not there is unreachable; " +
		"transport/memory TestAMissingServerIsUnreachable", ""},
	{"O5", "timeout", "transport/memory TestALossIsReportedAfterTheTimeout; " +
		"transport/httpjson TestAnUnansweredRequestIsATimeout", ""},
	{"O5", "unknown node", "transport/transporttest promise: a node without an address is unknown", ""},
	{"O5", "over TCP", "", "tcp"},

	{"O6", "an in-memory transport on channels", "transport/memory TestSuite; " +
		"transport/memory TestMessagesOfOneSenderArriveInOrder", ""},
	{"O6", "one call builds a cluster for tests", ". TestACommandIsReplicatedCommittedAndAppliedEverywhere",
		""},
	{"O6", "with timeouts", "transport/memory TestALossIsReportedAfterTheTimeout; " +
		"transport/memory TestADelayIsOnTheClockAndKeepsOrder", ""},
	{"O6", "with partitions", "transport/memory TestAPartitionSeparatesGroups; " +
		"transport/memory TestACutLinkLosesOneDirection", ""},
	{"O6", "with requests that can be held, and drained",
		"transport/memory TestWhatIsInFlightCanBeDrained; " +
			"transport/memory TestAHeldLinkKeepsItsMessages", ""},

	{"O7", "POST /raft/request_vote, append_entries and pre_vote, with the origin's fields",
		"transport/httpjson TestAPersonDrivesANodeByHand; wire TestTheJSONFormDoesNotDrift; " +
			"wire TestAPersonWritesLittle", ""},
	{"O7", "a timeout for each request", "transport/httpjson TestAnUnansweredRequestIsATimeout; " +
		"transport/httpjson TestARequestThatIsNotAnsweredTimesOut", ""},
	{"O7", "pooled connections", ". TestConnectionsToPeersArePooled", ""},
	{"O7", "by hand only with --raft-by-hand, else 403 with a sentence",
		"transport/httpjson TestWithoutByHandAStrangerIsRefused; " +
			"transport/httpjson TestByHandOnlyTheIDIsBelieved", ""},
	{"O7", "a node acts on /raft/install_snapshot", "transport/httpjson TestAPersonDrivesANodeByHand; " +
		". TestAFollowerThatWasAwayTooLongGetsASnapshot", ""},
	{"O7", "a node acts on /raft/timeout_now", "", "leadership-transfer"},

	{"O8", "heartbeat 150 ms, election timeout 300 to 500 ms", "cmd/balsa TestDefaultTiming", ""},
	{"O8", "validated", "cmd/balsa TestMistakesAreSentences; raft TestConfigIsValidated", ""},

	{"O9", "a follower that is behind catches up through heartbeats",
		". TestANodeThatRejoinsCatchesUpThroughHeartbeats; " +
			"raft a_leader_learns_from_a_heartbeat_that_entries_were_lost", ""},
	{"O9", "one round trip for each diverging term", "raft each_diverging_term_costs_one_round_trip", ""},

	{"O10", "reset by a valid AppendEntries, a granted vote and a begun election, by nothing else",
		". TestWhatResetsTheElectionTimeout; . TestACampaignResetsTheElectionTimeout", ""},
	{"O10", "never before it has passed", ". TestWhatResetsTheElectionTimeout", ""},

	{"O11", "tests without real time", ". TestTidy; replica TestEveryTickThatIsDueIsTakenOnce", ""},
	{"O11", "whole clusters in simulated time", "sim TestARunIsAValue; sim TestScenarios", ""},

	{"O12", "AppendEntries is idempotent", "raft a_delayed_shorter_message_does_not_truncate; " +
		"raft a_heartbeat_that_overtakes_entries_is_not_refused; raft TestFirstNew", ""},
	{"O12", "a leader counts only entries of its own term",
		"raft figure_8_d_an_old_entry_on_a_majority_may_still_be_overwritten; " +
			"raft figure_8_e_an_entry_of_the_own_term_commits_what_lies_before_it", ""},
	{"O12", "a candidate refuses commands", ". TestACandidateRefusesAndNamesNobody", ""},
	{"O12", "who waits at a leader that loses leadership gets an error",
		". TestAStaleLeaderStepsDownAndAnswersItsClient; replica TestWhatWasGivenUpMayStillBeApplied", ""},

	{"O13", "submit, replicate, commit", ". TestACommandIsReplicatedCommittedAndAppliedEverywhere", ""},
	{"O13", "several commands", ". TestSeveralCommandsAreAppliedInTheirOrder", ""},
	{"O13", "failover", ". TestAnotherLeaderTakesOverAndNothingIsLost; cmd/balsa TestE2EKillTheLeader", ""},
	{"O13", "an isolated leader", ". TestAnIsolatedLeaderCommitsNothing", ""},
	{"O13", "split brain", ". TestSplitBrainEndsWithOneHistory", ""},
	{"O13", "rejoin", ". TestANodeThatRejoinsCatchesUpThroughHeartbeats", ""},
	{"O13", "a stale leader steps down", ". TestAStaleLeaderStepsDownAndAnswersItsClient", ""},
	{"O13", "a partition in mid-replication", ". TestAPartitionInMidReplicationLosesNothingAcknowledged", ""},
	{"O13", "replicated to a minority, committed through the no-op, five nodes",
		". TestWhatAMinorityHoldsIsCommittedThroughTheNextNoOp", ""},
	{"O13", "an empty node catches up", ". TestANodeThatStartsLateAndEmptyCatchesUp", ""},
	{"O13", "a vote is denied for a lower term",
		"raft a_denial_of_an_earlier_question_does_not_hide_a_vote; . TestWhatResetsTheElectionTimeout", ""},
	{"O13", "a vote is denied for a vote already given",
		"raft a_server_votes_once_in_a_term_even_across_a_restart; raft " +
			"the_same_candidate_is_answered_again", ""},
	{"O13", "a vote is denied for a shorter log", "raft a_candidate_with_an_older_log_gets_no_vote", ""},

	{"O14", "term, vote and log: append, truncate", "wal TestWhatWasAppendedIsRecovered; " +
		"wal TestTermsAfterAReplacement; replica TestATruncationIsGatheredAsTheDiskWouldTakeIt", ""},
	{"O14", "persisted before an answer leaves", "raft a_vote_leaves_only_when_it_is_durable; " +
		"raft a_candidate_asks_for_votes_only_when_its_own_vote_is_durable; replica TestRandomSchedules", ""},
	{"O14", "memory storage for tests", "disk TestMemoryConforms; disk TestOSConforms", ""},

	{"O15", "files with checksums, corruption detected with a clear error",
		"wal TestEveryBitCounts; wal TestEveryZeroedPieceCounts; cmd/balsa TestE2EACorruptFile", ""},
	{"O15", "a torn tail is told from damage", "wal TestPowerCutAtEveryOperation; wal TestMisfortunes", ""},

	{"O16", "a node that cannot persist stops rather than answers",
		". TestANodeThatCannotWriteStopsAndTheOthersGoOn; replica TestAFailedWriteStopsEverything", ""},
	{"O16", "the process exits with a status other than zero", "cmd/balsa TestAFailingDiskEndsTheProcess",
		""},

	{"O17", "term, vote and log survive; commit index and leadership do not",
		". TestEverythingSurvivesTheRestartOfAll; replica TestARestartedServerFillsItsMachineByItsNoOp; " +
			"cmd/balsa TestE2EKillAll", ""},
	{"O17", "a vote is honoured after a restart",
		"raft a_server_votes_once_in_a_term_even_across_a_restart", ""},
	{"O17", "a former leader returns as a follower", ". TestAnotherLeaderTakesOverAndNothingIsLost", ""},
	{"O17", "a node restarted in place continues", ". TestANodeRestartedInPlaceGoesOn", ""},

	{"O18", "apply gives a result or an error of the machine",
		"replica TestPerformingAnApplyGivesEachEntryItsOwnResult; " +
			"kv TestTextResults", ""},
	{"O18", "a recording machine for tests, applied exactly in order",
		". TestSeveralCommandsAreAppliedInTheirOrder", ""},
	{"O18", "nothing is applied under a partition", ". TestAnIsolatedLeaderCommitsNothing; " +
		"replica TestFollowersApplyTooAndAPartitionAppliesNothing", ""},
	{"O18", "followers apply too", ". TestACommandIsReplicatedCommittedAndAppliedEverywhere", ""},
	{"O18", "commands are validated before they are appended",
		"httpapi TestSubmit; httpapi TestKeysThatAreNone", ""},

	{"O19", "SET with values that contain spaces, DELETE", "kv TestText; kv TestTextResults", ""},
	{"O19", "reads do not change state", "kv TestAgainstModel; kv TestRevisions", ""},
	{"O19", "the text form at /client/submit", "httpapi TestSubmit; cmd/balsa TestE2EByHand", ""},

	{"O20", "POST /client/submit answers the result, or an error with a hint", "httpapi TestSubmit", ""},
	{"O20", "503 when not leader or without a majority, 400 for a bad command",
		"httpapi TestEveryErrorOfANode; httpapi TestSubmit", ""},
	{"O20", "the known leader is cleared when a node becomes candidate",
		". TestACandidateRefusesAndNamesNobody; httpapi TestWhoLeads", ""},
	{"O20", "GET /client/leader and /client/status", "httpapi TestWhoLeads", ""},
	{"O20", "GET /client/get/{key} and /client/kv: this node's own state; 404 when absent",
		"httpapi TestOwnState", ""},
	{"O20", "submit forwards with ?forward=true", "httpapi TestSubmitForwardsOnRequest", ""},

	{"O21", "the client gets what apply returned for that very entry",
		"replica TestEachCallerGetsTheResultOfItsOwnEntry; replica " +
			"TestALeaderReturnsBetweenTwoProposals", ""},

	{"O22", "earlier entries commit, and the machine is full again, without a new write",
		"raft a_new_leader_commits_older_entries_with_its_no_op; . TestEverythingSurvivesTheRestartOfAll; " +
			"cmd/balsa TestE2EKillAll", ""},
	{"O22", "never visible to a state machine", "replica TestPerformingAnApplyGivesEachEntryItsOwnResult; " +
		"replica TestCommandsReachTheMachineUnchanged", ""},

	{"O23", "a cluster on one machine", "cmd/balsa TestE2EDev; cmd/balsa TestE2EDevLeavesNothingBehind", ""},
	{"O23", "start, stop, clean, status, killnode, startnode, watchlogs, and run_cluster.sh",
		"cmd/balsa TestE2EClusterStory; cmd/balsa TestE2ERunCluster", ""},

	{"O24", "the words of the origin", ". TestLogLinesKeepTheWordsOfTheOrigin", ""},
	{"O24", "each line begins with [NODE N]",
		"cmd/balsa TestLogLinesNameTheirNode; cmd/balsa TestLinesOfSeveralNodes", ""},

	{"O25", "a demo, told step by step", "cmd/balsa TestDemoTellsTheStoryOfTheTranscript; " +
		"cmd/balsa TestEverySeedTellsATrueStory", ""},
	{"O26", "quick start, primer, guide, journal", "", "learning"},

	{"O27", "conflict hints", "raft each_diverging_term_costs_one_round_trip", ""},
	{"O27", "REST keys", "httpapi TestLifeOfAKey; httpapi TestKeysAreAnyBytes", ""},
	{"O27", "separate ports for peers and clients", "cmd/balsa TestMistakesAreSentences; cmd/balsa TestVerbs",
		""},
	{"O27", "snapshots, compaction by threshold, InstallSnapshot", ". TestSnapshotsAreTakenByThemselves; " +
		". TestAFollowerThatWasAwayTooLongGetsASnapshot; raft TestRandomSchedules", ""},
	{"O27", "ReadIndex reads", ". TestALinearizableReadSeesEverythingAcknowledgedBefore; " +
		"cmd/balsa TestE2EAPausedLeaderServesNothingStale; raft TestRandomSchedules", ""},
	{"O27", "a linearizability checker", "sim TestOneLieIsFound; sim TestEndJudgesWhatIsLeft", ""},
	{"O27", "chaos: kills, partitions, slow and lossy networks, rolling restarts, wiped storage", "",
		"chaos"},
}

// lastRow is the number of rows; each must have a clause.
const lastRow = 27

// TestOrigin holds every clause to its tests.
func TestOrigin(t *testing.T) {
	for _, complaint := range checkOrigin(origin, readProofs(t, ".")) {
		t.Error(complaint)
	}
}

// proofs is what a folder has to show: test functions, transcripts, and the strings that may name subtests.
type proofs map[string]map[string]bool

func checkOrigin(clauses []clause, have proofs) (complaints []string) {
	rows := map[string]bool{}
	for _, c := range clauses {
		rows[c.row] = true
		complain := func(format string, values ...any) {
			complaints = append(complaints, c.row+", "+c.what+": "+fmt.Sprintf(format, values...))
		}
		if (c.proofs == "") == (c.planned == "") {
			complain("name tests, or the capability that will bring it, and not both")
		}
		if c.planned != "" && !slices.Contains(capabilities, c.planned) {
			complain("%q is no capability that is planned", c.planned)
		}
		for proof := range strings.SplitSeq(c.proofs, ";") {
			folder, name, _ := strings.Cut(strings.TrimSpace(proof), " ")
			if c.proofs != "" && !have[folder][name] {
				complain("there is no %q in %s", name, folder)
			}
		}
	}
	for n := 1; n <= lastRow; n++ {
		if row := "O" + strconv.Itoa(n); !rows[row] {
			complaints = append(complaints, row+" has no clause")
		}
	}
	return complaints
}

// readProofs collects the tests of the folders that the table names.
func readProofs(t *testing.T, root string) proofs {
	t.Helper()
	have := proofs{}
	for _, c := range origin {
		for proof := range strings.SplitSeq(c.proofs, ";") {
			folder, _, _ := strings.Cut(strings.TrimSpace(proof), " ")
			if folder != "" && have[folder] == nil {
				have[folder] = map[string]bool{}
				readFolder(t, filepath.Join(root, folder), have[folder])
			}
		}
	}
	return have
}

func readFolder(t *testing.T, folder string, have map[string]bool) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(folder, "*.go"))
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		collect(file, strings.HasSuffix(name, "_test.go"), have)
	}
	transcripts, _ := filepath.Glob(filepath.Join(folder, "testdata", "*.txt"))
	for _, name := range transcripts {
		if have["TestTranscripts"] { // which runs every one of them
			have[strings.TrimSuffix(filepath.Base(name), ".txt")] = true
		}
	}
}

// collect notes a file's test functions, or, of the suite, its promises.
func collect(file *ast.File, test bool, have map[string]bool) {
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && test && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
			have[f.Name.Name] = true
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && !test && literal.Kind == token.STRING {
			text, _ := strconv.Unquote(literal.Value)
			have["promise: "+text] = true
		}
		return true
	})
}

// TestOriginComplains shows the check what it must not let pass.
func TestOriginComplains(t *testing.T) {
	have := proofs{"raft": {"TestA": true}}
	var all []clause
	for n := 1; n <= lastRow; n++ {
		all = append(all, clause{row: "O" + strconv.Itoa(n), what: "x", proofs: "raft TestA"})
	}
	if got := checkOrigin(all, have); len(got) != 0 {
		t.Errorf("nothing is wrong, and it complains: %q", got)
	}
	for want, bad := range map[string]clause{
		`there is no "TestB" in raft`:   {"O1", "x", "raft TestA; raft TestB", ""},
		`there is no "TestA" in wal`:    {"O1", "x", "wal TestA", ""},
		"name tests, or the capability": {"O1", "x", "", ""},
		"and not both":                  {"O1", "x", "raft TestA", "tcp"},
		`"later" is no capability`:      {"O1", "x", "", "later"},
		"O27 has no clause":             {"O26", "x", "raft TestA", ""},
	} {
		clauses := append(slices.Clone(all[:lastRow-1]), bad)
		if want != "O27 has no clause" {
			clauses = append(slices.Clone(all), bad)
		}
		got := checkOrigin(clauses, have)
		if len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("want %q, got %q", want, got)
		}
	}
	if names := slices.Collect(maps.Keys(readProofs(t, "."))); len(names) < 10 {
		t.Errorf("only %v were read", names)
	}
}
