# fish completion of actsearch. The program itself says what fits: its commands, flags and their values.
# For this session: actsearch completion fish | source

function __actsearch_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l token (commandline --current-token --cut-at-cursor)
    set -l flag (string match --regex -- '^--[^=]+=' $token)
    for line in ($words[1] __complete $words[2..-1] "$token" 2>/dev/null)
        switch $line
            case ':files'
                __fish_complete_path (string replace -- "$flag" '' "$token") | string replace --regex -- '^' "$flag"
            case ':directories'
                __fish_complete_directories (string replace -- "$flag" '' "$token") | string replace --regex -- '^' "$flag"
            case '*'
                echo $line
        end
    end
end

complete --command actsearch --no-files --arguments '(__actsearch_complete)'
