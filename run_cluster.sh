#!/bin/sh
# A cluster of three on this machine, under the verbs of old. Everything is done by balsa cluster; see
# bin/balsa help cluster for what else it can do.
set -eu
cd "$(dirname "$0")"

usage() {
	cat >&2 <<-'END'
		usage: ./run_cluster.sh VERB
		  start          start the cluster in the background
		  stop           stop it; the data stays
		  clean          stop it, and remove its data and logs
		  status         show every node
		  killnode N     kill a node with SIGKILL
		  startnode N    start a node that does not run
		  watchlogs      follow the logs of all nodes, each in its colour
	END
	exit 2
}

# BALSA_BIN names another binary. Without it, one is built when it is missing.
balsa=${BALSA_BIN:-bin/balsa}

# cluster ends this script: what is signalled then, by Ctrl-C or by its number, is balsa itself.
cluster() { exec "$balsa" cluster "$@"; }

[ $# -ge 1 ] || usage
verb=$1
shift
case $verb in
start | stop | clean | status | killnode | startnode | watchlogs) ;;
*) usage ;;
esac
if [ ! -x "$balsa" ]; then
	go build -o "$balsa" ./cmd/balsa
fi
case $verb in
start | stop | status) cluster "$verb" "$@" ;;
clean)
	"$balsa" cluster stop "$@"
	cluster clean "$@"
	;;
killnode) cluster kill "$@" ;;
startnode)
	[ $# -ge 1 ] || usage
	cluster start "$@"
	;;
watchlogs) cluster logs --follow "$@" ;;
esac
