# bash completion of actsearch. The program itself says what fits: its commands, flags and their values.
# For this session: source <(actsearch completion bash)

_actsearch() {
  local -a words=()
  local word line paths="" glued=""
  # bash cuts words at "=" and ":"; the program wants them whole.
  for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
    if [[ -n $glued || ( $word == [=:]* && ${#words[@]} -gt 0 ) ]]; then
      words[${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
    [[ $word == *[=:] ]] && glued=yes || glued=""
  done
  local piece=$2  # what bash replaces: the last word, or what follows the cut in it
  [[ $piece == [=:] ]] && piece=""
  local before=${words[${#words[@]} - 1]%"$piece"}

  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :files) paths=-f ;;
      :directories) paths=-d ;;
      *)
        line=${line%%$'\t'*}
        COMPREPLY+=("${line#"$before"}")
        ;;
    esac
  done < <("${1/#\~/$HOME}" __complete "${words[@]}" 2>/dev/null)
  if [[ -n $paths ]]; then
    compopt -o filenames 2>/dev/null
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen "$paths" -- "$piece")
  fi
}

complete -F _actsearch actsearch
