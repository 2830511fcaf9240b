# Completion for bash, evaluated by the functions of init.sh.

# Commands in the first place; in the others what they take most: overlays, and files.
__xc_complete() {
	COMPREPLY=()
	if test "$COMP_CWORD" -eq 1; then
		mapfile -t COMPREPLY < <("$XCLUSTER" completion "$2")
		return
	fi
	case ${COMP_WORDS[1]} in
	mkcdrom | up | ovld | cache | test | ximage | inject) __xc_complete_ovl "$@" ;;
	esac
}

__xc_complete_ovl() {
	mapfile -t COMPREPLY < <(compgen -W "$("$XCLUSTER" ovl list --names 2>/dev/null)" -- "$2")
}

__xc_complete_xcadmin() {
	COMPREPLY=()
	test "$COMP_CWORD" -gt 1 || mapfile -t COMPREPLY < <(compgen -W "mkovl ovlindex env_check" -- "$2")
}

complete -o default -F __xc_complete xc xcbuild
complete -F __xc_complete_ovl cdo
complete -F __xc_complete_xcadmin xcadmin
