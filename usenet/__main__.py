"""`python -m usenet` is the same as `usenet`."""

from usenet.cli.main import main

if __name__ == "__main__":
    main()
