#! /bin/sh
# Tests of @NAME@ on a cluster of their own:
#   @NAME@.sh test [--list] [--xterm] [--no-stop] [--log=FILE] [CASE [OVL...]]
: "${XCLUSTER:=xcbuild}"
export XCLUSTER
. "$($XCLUSTER ovld test)/default/usr/lib/xctest"

test_basic() {
	export __nvm=2 __nrouters=1 __ntesters=0
	xcluster_start network-topology . "$@"
	otc 1 installed
	otc 1 "ping 2"
	xcluster_stop
}

cmd_test() {
	while true; do
		case "$1" in
		--list) sed -n 's/^test_\([a-z0-9_]*\)().*/\1/p' "$0" && exit ;;
		--xterm) __xterm=yes ;;
		--no-stop) __no_stop=yes ;;
		--log=*) exec >"${1#--log=}" ;;
		--*) tdie "no such option: $1" ;;
		*) break ;;
		esac
		shift
	done
	cd "$(dirname "$0")" || exit
	case=${1:-basic}
	test $# -eq 0 || shift
	tcase "$case"
	"test_$case" "$@"
}

case "$1" in
test)
	shift
	cmd_test "$@"
	;;
*)
	echo "usage: $0 test [--list] [--xterm] [--no-stop] [--log=FILE] [CASE [OVL...]]" >&2
	exit 1
	;;
esac
