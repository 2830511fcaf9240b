# Helpers for an interactive shell: eval "$(xcbuild shell-init)". The line above this file's text
# sets XCLUSTER. For any shell; bash gets completion, too.

# An alias of the same name would be put in the place of the function's.
unalias xc cdo lso vm xcadmin 2>/dev/null || true

# The tool.
xc() {
	"$XCLUSTER" "$@"
}

# Goes to an overlay's directory.
cdo() {
	if test $# -ne 1; then
		echo "usage: cdo OVL" >&2
		return 1
	fi
	__xc_dir=$("$XCLUSTER" ovld "$1") && cd "$__xc_dir"
}

# Lists the overlays that are found by name.
lso() {
	"$XCLUSTER" ovl list --names
}

# A terminal on a node.
vm() {
	"$XCLUSTER" vm "$@"
}

xcadmin() {
	case ${1-} in
	mkovl) shift && "$XCLUSTER" mkovl "$@" ;;
	ovlindex) shift && "$XCLUSTER" ovl index "$@" ;;
	env_check) shift && "$XCLUSTER" doctor "$@" ;;
	*)
		echo "usage: xcadmin mkovl [--template=NAME] [--ovldir=DIR] NAME | ovlindex | env_check" >&2
		return 1
		;;
	esac
}

# bash's completion can't even be read by other shells.
test -z "${BASH_VERSION-}" || eval "$("$XCLUSTER" shell-init --bash)"
