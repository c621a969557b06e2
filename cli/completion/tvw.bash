# SPDX-License-Identifier: LGPL-2.1-or-later
# Bash completion for tvw: the program itself says what fits.

_tvw() {
    local words=() word line files=no
    # Bash takes "--option=value" apart; as two words it means the same.
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        [ "$word" = = ] || words+=("$word")
    done
    [ "${COMP_WORDS[COMP_CWORD]}" != = ] || words+=("")
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :) files=yes ;;
            *) COMPREPLY+=("${line%%$'\t'*}") ;;
        esac
    done < <("${COMP_WORDS[0]/#\~/$HOME}" complete -- "${words[@]}" 2>/dev/null)
    # Where nothing of ours fits, file names follow; bash completes them best itself.
    [ $files = yes ] || compopt +o default 2>/dev/null
}

complete -o default -F _tvw tvw
