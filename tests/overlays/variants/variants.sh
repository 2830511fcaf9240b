#! /bin/sh
##
## variants.sh --
##   Tests of the overlay: variants.sh test [--list] [--xterm] [--no-stop] [--log=file] [case [ovls...]]
##
dir=$(dirname $0); dir=$(readlink -f $dir)
die() {
	echo "ERROR: $*" >&2
	exit 1
}

test_start() {
	export __nvm=1 __nrouters=0
	xcluster_start network-topology . "$@"
}

test_plain() {
	test_start "$@"
	otc 1 "variant plain"
	xcluster_stop
}

test_failing() {
	test_start "$@"
	otc 1 never
	xcluster_stop
}

cmd_test() {
	if test "$__list" = "yes"; then
		grep '^test_' $0 | cut -d'(' -f1 | sed -e 's,test_,,'
		return 0
	fi
	cd $dir
	test -x "$XCLUSTER" || die "Not executable [$XCLUSTER]"
	eval $($XCLUSTER env)
	. $($XCLUSTER ovld test)/default/usr/lib/xctest
	test -n "$__log" && exec > "$__log"
	t=${1:-plain}
	test $# -gt 0 && shift
	test_$t "$@"
}

cmd=$1
shift
grep -q "^cmd_$cmd()" $0 || die "Invalid command [$cmd]"
while echo "$1" | grep -q '^--'; do
	if echo "$1" | grep -q =; then
		o=$(echo "$1" | cut -d= -f1 | sed -e 's,-,_,g')
		v=$(echo "$1" | cut -d= -f2-)
		eval "$o=\"$v\""
	else
		o=$(echo "$1" | sed -e 's,-,_,g')
		eval "$o=yes"
	fi
	shift
done
cmd_$cmd "$@"
