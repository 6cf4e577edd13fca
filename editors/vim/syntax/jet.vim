" Vim syntax file for .jet
" Generated from grammar/tokens.toml and jetpackc/highlight/vim.py by editors/generate.py
if exists("b:current_syntax")
  finish
endif
syn case match
syn match jetFunction '\<[a-z][a-z0-9_]*\ze\s*('
syn match jetParameter '\<[a-z][a-z0-9_]*\ze\s*:'
syn match jetMember '\.\@<=[A-Za-z_][A-Za-z0-9_]*'
syn match jetEvent '\<[A-Z][A-Z0-9_]*\>'
syn match jetCode '\<J[0-9]\{3}\>'
syn match jetNumber '\<[0-9]\+\%(\.[0-9]\+\)\?\>'
syn match jetDuration '\<\%([0-9]\+\%(ms\|s\|m\|h\|d\)\)\+\>'
syn match jetPunctuation '[][(){},:.]'
syn match jetOperator '==\|!=\|<=\|>=\|[<>+*/%=?-]\|\.\.'
syn match jetArrow '->'
syn match jetType '\%(:\s*\|\<as\s\+\)\@<=\%(bool\|int\|bigint\|float\|numeric\|text\|uuid\|timestamptz\|date\|interval\|json\|bytes\)\>'
syn match jetState '\%(\%(\<state\|\<step\|->\)\s\+\)\@<=\%(\%(and\|as\|else\|fail\|false\|for\|in\|increment\|is\|not\|null\|or\|send\|set\|spawn\|true\|when\)\>\)\@![a-z][a-z0-9_]*\>'
syn match jetMachine '\%(\%(\<machine\|\<template\|\<is\|\<spawn\|\<spawn\s\+root\)\s\+\)\@<=\%(\%(and\|as\|else\|fail\|false\|for\|in\|increment\|is\|not\|null\|or\|send\|set\|spawn\|true\|when\)\>\)\@![a-z][a-z0-9_]*\>'
syn match jetFunction '\%(\<operator\s\+\)\@<=\%(\%(and\|as\|else\|fail\|false\|for\|in\|increment\|is\|not\|null\|or\|send\|set\|spawn\|true\|when\)\>\)\@![a-z][a-z0-9_]*\>'
syn match jetNamespace '\%(\<module\s\+\)\@<=\%(\%(and\|as\|else\|fail\|false\|for\|in\|increment\|is\|not\|null\|or\|send\|set\|spawn\|true\|when\)\>\)\@![a-z][a-z0-9_]*\>'
syn match jetType '\%(\<enum\s\+\)\@<=\%(\%(and\|as\|else\|fail\|false\|for\|in\|increment\|is\|not\|null\|or\|send\|set\|spawn\|true\|when\)\>\)\@![a-z][a-z0-9_]*\>'
syn match jetDeclaration '\%(^\s*\|[{}]\s*\)\@<=\<\%(enum\|event\|import\|machine\|module\|operator\|schedule\|state\|step\|template\|test\|var\)\>\%(\s*[:=,).]\)\@!'
syn match jetDeclaration '\<\%(enum\|event\|import\|machine\|module\|operator\|schedule\|state\|step\|template\|test\|var\)\>\ze\s\+[A-Z"]'
syn match jetDeclaration '\%(\<\%(initial\|final\|failure\|removed\|spawn\|or\)\s\+\)\@<=\<\%(enum\|event\|import\|machine\|module\|operator\|schedule\|state\|step\|template\|test\|var\)\>\%(\s*[:=,).]\)\@!'
syn match jetModifier '\%(^\s*\|[{}]\s*\)\@<=\<\%(failure\|final\|initial\)\>\%(\s*[:=,).]\)\@!'
syn match jetModifier '\<\%(failure\|final\|initial\)\>\ze\s\+[A-Z"]'
syn match jetModifier '\%(\<\%(initial\|final\|failure\|removed\|spawn\|or\)\s\+\)\@<=\<\%(failure\|final\|initial\)\>\%(\s*[:=,).]\)\@!'
syn match jetClause '\%(^\s*\|[{}]\s*\)\@<=\<\%(advance\|after\|allow\|applied\|at\|because\|by\|create\|cron\|defer\|dies\|enter\|error\|every\|exit\|expect\|fair\|hangs\|ignore\|ignored\|keep\|limit\|missed\|of\|on\|once\|per\|priority\|raise\|raises\|reenter\|refused\|removed\|return\|returns\|root\|run\|sent\|spawned\|stub\|timeout\|times\|twice\|unique\|was\|while\)\>\%(\s*[:=,).]\)\@!'
syn match jetClause '\<\%(advance\|after\|allow\|applied\|at\|because\|by\|create\|cron\|defer\|dies\|enter\|error\|every\|exit\|expect\|fair\|hangs\|ignore\|ignored\|keep\|limit\|missed\|of\|on\|once\|per\|priority\|raise\|raises\|reenter\|refused\|removed\|return\|returns\|root\|run\|sent\|spawned\|stub\|timeout\|times\|twice\|unique\|was\|while\)\>\ze\s\+[A-Z"]'
syn match jetClause '\%(\<\%(initial\|final\|failure\|removed\|spawn\|or\)\s\+\)\@<=\<\%(advance\|after\|allow\|applied\|at\|because\|by\|create\|cron\|defer\|dies\|enter\|error\|every\|exit\|expect\|fair\|hangs\|ignore\|ignored\|keep\|limit\|missed\|of\|on\|once\|per\|priority\|raise\|raises\|reenter\|refused\|removed\|return\|returns\|root\|run\|sent\|spawned\|stub\|timeout\|times\|twice\|unique\|was\|while\)\>\%(\s*[:=,).]\)\@!'
syn keyword jetStatement else fail for increment send set spawn when
syn keyword jetWordOperator and as in is not or
syn keyword jetConstant false null true

syn region jetString start=+"+ skip=+\\.+ end=+"+ oneline contains=jetEscape
syn match jetEscape "\\\%(u{[0-9A-Fa-f]*}\|.\)" contained
syn match jetComment "//.*$" contains=@Spell
syn match jetDoc "///\%(/\)\@!.*$" contains=@Spell
hi def link jetDeclaration Structure
hi def link jetModifier StorageClass
hi def link jetClause Keyword
hi def link jetStatement Statement
hi def link jetWordOperator Operator
hi def link jetConstant Boolean
hi def link jetEvent Constant
hi def link jetState Label
hi def link jetMachine Type
hi def link jetFunction Function
hi def link jetNamespace Include
hi def link jetType Type
hi def link jetParameter Identifier
hi def link jetName Normal
hi def link jetMember Identifier
hi def link jetNumber Number
hi def link jetDuration Number
hi def link jetCode Special
hi def link jetString String
hi def link jetEscape SpecialChar
hi def link jetDoc SpecialComment
hi def link jetComment Comment
hi def link jetArrow Operator
hi def link jetOperator Operator
hi def link jetPunctuation Delimiter

let b:current_syntax = "jet"
