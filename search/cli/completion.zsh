#compdef actsearch
# zsh completion of actsearch. The program itself says what fits: its commands, flags and their values.
# For this session: source <(actsearch completion zsh)

_actsearch() {
  local -a offered
  local line kind=""
  for line in "${(@f)$(${~words[1]} __complete "${(@)words[2,CURRENT - 1]}" "$PREFIX" 2>/dev/null)}"; do
    case $line in
      (:files | :directories) kind=$line ;;
      (?*) offered+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
    esac
  done
  (( $#offered )) && _describe actsearch offered
  if [[ -n $kind ]]; then
    compset -P '--*='
    [[ $kind == :files ]] && _files || _files -/
  fi
}

if [[ $funcstack[1] == _actsearch ]]; then
  _actsearch "$@"
else
  compdef _actsearch actsearch
fi
