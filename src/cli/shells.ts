/** Completion scripts; all of them ask the program itself. */
export const shells: Readonly<Record<string, string>> = {
  bash: `_sallyport() {
  local line words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  COMPREPLY=()
  while IFS= read -r line; do
    if [ "$line" = :files ]; then
      compopt -o filenames 2>/dev/null
      mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")
    else
      COMPREPLY+=("$line")
    fi
  done < <("\${COMP_WORDS[0]}" __complete -- "\${words[@]}" 2>/dev/null)
}
complete -F _sallyport sallyport`,
  zsh: `#compdef sallyport
_sallyport() {
  local line
  local -a found
  for line in "\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ $line = :files ]]; then _files; elif [[ -n $line ]]; then found+=("$line"); fi
  done
  compadd -a found
}
# As a file in fpath this is the function's body when the first TAB loads it.
if [[ \${funcstack[1]} = _sallyport ]]; then _sallyport "$@"; else compdef _sallyport sallyport; fi`,
  fish: `function __sallyport_complete
    set -l typed (commandline -ct)
    set -l words (commandline -opc)
    for line in ($words[1] __complete -- $words[2..-1] "$typed" 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path "$typed"
        else
            echo $line
        end
    end
end
complete -c sallyport -f -a '(__sallyport_complete)'`,
};
