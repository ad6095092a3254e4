// Command bench measures balsa beside other Raft libraries: the same work on each, in one run, in turn.
//
//	go run -C bench . -quick
//
// Every measurement is a process of its own with a cluster of three nodes in it, on loopback TCP, with data
// directories on a real disk and every sync in force; so a library that fails takes nobody with it, and none
// inherits another's heap. A write is done when it is committed and applied on the leader. Each client waits
// for its answer before it goes on, and all of them are at the leader.
//
//	go run -C bench . -scale -quick
//
// measures balsa alone, with the map that is shipped and with snapshots: what it costs as the log, the state,
// the cluster, the clients or the values grow, and when one follower is dead or slow.
//
// What all systems have in common, without -scale: a heartbeat every 50 ms, elections after 150 to 300 ms,
// pre-vote and a leader that steps down without a quorum, no snapshots, messages of up to 1 MiB of entries
// where that can be set, and a state machine that counts commands and keeps nothing. What is set beyond that
// stands beside the code that opens each of them.
package main
