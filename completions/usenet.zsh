#compdef usenet

_usenet_completion() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _USENET_COMPLETE=complete_zsh usenet)
}

compdef _usenet_completion usenet
