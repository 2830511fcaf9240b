# What a hook (XCLUSTER_HOOK) stands on: it is written to be sourced into the tool, so it finds here
# what it would find there. Run as: sh -c THIS /path/to/xcbuild COMMAND [--option[=value]…] [ARG…]
#
#   $XCLUSTER, $me      this xcbuild; $prg and $dir are its name and its directory
#   $tmp                a directory that is removed at the end
#   die, log, tlog, dbg messages to stderr
#   __name              every option before the arguments, and every setting after cmd_env
#   cmd_VERB            every command of xcbuild; what the hook sets as __name goes with it
#   boot_vm N           one node
#
# XCBUILD_VERBS has the names of the commands, XCBUILD_UNKNOWN what to say if the hook lacks COMMAND.

XCLUSTER=$0 me=$0 prg=${0##*/} dir=${0%/*}
export XCLUSTER

die() {
	echo "ERROR: $*" >&2
	exit 1
}

log() {
	echo "$prg: $*" >&2
}

tlog() {
	echo "$(date +%T) $*" >&2
}

dbg() {
	test -z "${__verbose-}" || log "$@"
}

for __verb in $XCBUILD_VERBS; do
	eval "cmd_$__verb() { \"\$me\" $__verb \"\$@\"; }"
done

# Sets the settings in this shell. They are not exported: a default that comes to a command by the
# environment would count as the user's own wish, and hide what the topology says.
cmd_env() {
	set +a
	__xcbuild_env=$("$me" env) || exit
	eval "$__xcbuild_env"
	unset __xcbuild_env
	set -a
}

boot_vm() {
	cmd_boot_vm "$@"
}

tmp=$(mktemp -d) || exit
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

__verb=$(echo "$1" | tr - _)
shift
# All that is set from here on reaches the commands.
set -a
. "$XCLUSTER_HOOK"
if ! command -v "cmd_$__verb" >/dev/null; then
	echo "ERROR: $XCBUILD_UNKNOWN" >&2
	exit 2
fi
# A hook's cmd_start that calls "$me start" means xcbuild's own.
XCBUILD_IN_HOOK=yes
while true; do
	case ${1-} in
	--) shift && break ;;
	--?*) ;;
	*) break ;;
	esac
	__option=${1#--}
	__name=$(echo "${__option%%=*}" | tr - _)
	case $__name in
	*[!A-Za-z0-9_]* | '') die "no such option: $1" ;;
	esac
	case $__option in
	*=*) eval "__$__name=\${__option#*=}" ;;
	*) eval "__$__name=yes" ;;
	esac
	shift
done
unset XCBUILD_VERBS XCBUILD_UNKNOWN __option __name
"cmd_$__verb" "$@"
