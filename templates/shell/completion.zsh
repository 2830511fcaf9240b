# Completion for zsh, evaluated by the functions of init.sh.

# In a shell that has not set completion up, this does, in memory alone and asking nothing.
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i -D }

# Commands in the first place; in the others what they take most: overlays, and files.
__xc_complete() {
	if (( CURRENT == 2 )); then
		local -a names=(${(f)"$("$XCLUSTER" completion 2>/dev/null)"})
		compadd -a names
		return
	fi
	case $words[2] in
	mkcdrom | up | ovld | cache | test | ximage | inject) __xc_complete_ovl ;;
	*) _files ;;
	esac
}

__xc_complete_ovl() {
	local -a names=(${(f)"$("$XCLUSTER" ovl list --names 2>/dev/null)"})
	compadd -a names || _files
}

__xc_complete_xcadmin() {
	(( CURRENT > 2 )) || compadd mkovl ovlindex env_check
}

compdef __xc_complete xc xcbuild
compdef __xc_complete_ovl cdo
compdef __xc_complete_xcadmin xcadmin
