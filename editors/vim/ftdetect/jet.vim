autocmd BufNewFile,BufRead *.jet setfiletype jet
