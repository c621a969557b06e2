# SPDX-License-Identifier: LGPL-2.1-or-later
# Fish completion for tvw: the program itself says what fits.

function __tvw_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] complete -- $words[2..-1] 2>/dev/null)
        if test "$line" = ":"
            __fish_complete_path (string replace -r '^--[a-z-]+=' '' -- $words[-1])
        else
            echo $line
        end
    end
end

complete -c tvw -f -a "(__tvw_complete)"
