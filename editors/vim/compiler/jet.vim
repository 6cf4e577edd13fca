if exists("current_compiler")
  finish
endif
let current_compiler = "jet"

" :make checks the project and fills the list of mistakes.
CompilerSet makeprg=jetpackc\ check\ --format\ short
CompilerSet errorformat=%f:%l:%c:\ %trror[%m,%f:%l:%c:\ %tarning[%m
