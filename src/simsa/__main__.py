from simsa.cli.main import main

main()
