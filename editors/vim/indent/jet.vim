if exists("b:did_indent")
  finish
endif
let b:did_indent = 1

setlocal indentexpr=JetIndent(v:lnum) indentkeys=0},0),0],!^F,o,O
let b:undo_indent = "setlocal indentexpr< indentkeys<"

if exists("*JetIndent")
  finish
endif

" One step in behind a bracket that its line leaves open, one step out at a line that begins with a closing one.
function JetIndent(line) abort
  let before = prevnonblank(a:line - 1)
  if before == 0
    return 0
  endif
  let code = substitute(substitute(getline(before), '"\%(\\.\|[^"\\]\)*"', '', 'g'), '//.*', '', '')
  let opens = code =~# '[{(\[]\s*$'
  let closes = getline(a:line) =~# '^\s*[})\]]'
  return indent(before) + (opens - closes) * shiftwidth()
endfunction
