# Helpers for an interactive shell: eval "$(xcbuild shell-init)", which sets XCLUSTER and then
# evaluates this text. For any shell; bash and zsh get completion, too.

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

# Their completion can't even be read by other shells.
test -z "${BASH_VERSION-}" || eval "$("$XCLUSTER" shell-init --completion=bash)"
test -z "${ZSH_VERSION-}" || eval "$("$XCLUSTER" shell-init --completion=zsh)"
