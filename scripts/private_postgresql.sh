# A PostgreSQL server of a script's own, on a socket in a folder, without TCP. For bash: source it.
#
#   private_postgresql DIR start     makes a cluster in DIR the first time, starts it, and returns when it answers
#   private_postgresql DIR stop      ends every session, as an administrator does who wants no waiting
#   private_postgresql DIR address NAME    what --db takes for the database NAME; makes it if it is not there
#   private_postgresql_is_here       whether this machine has a server's programs
#
# Where the script runs as root, which PostgreSQL refuses, the server runs as the user postgres, to whom DIR then belongs.

_postgresql_programs() { find /usr/lib/postgresql -path '*/bin/initdb' -printf '%h\n' 2>/dev/null | sort -V | tail -n 1; }
private_postgresql_is_here() { [[ -n $(_postgresql_programs) ]]; }

private_postgresql() {
  local directory=$1 programs as=()
  programs=$(_postgresql_programs)
  if ((EUID == 0)); then as=(setpriv --reuid=postgres --regid=postgres --clear-groups); fi
  case $2 in
    start)
      if [[ ! -d $directory/data ]]; then
        mkdir -p "$directory"
        if ((EUID == 0)); then chown postgres: "$directory"; fi
        (cd "$directory" && "${as[@]}" "$programs/initdb" --pgdata=data --auth=trust --username=actsearch --encoding=UTF8 --locale=C \
          --no-instructions >initdb.log)
        printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$directory'" "max_connections = 200" >>"$directory/data/postgresql.conf"
      fi
      (cd "$directory" && "${as[@]}" "$programs/pg_ctl" start --pgdata=data --log=server.log --wait --silent)
      ;;
    stop) (cd "$directory" && "${as[@]}" "$programs/pg_ctl" stop --pgdata=data --mode=fast --wait --silent) ;;
    address)
      psql --no-psqlrc --quiet --tuples-only --host="$directory" --username=actsearch --dbname=postgres \
        --command="SELECT 1 FROM pg_database WHERE datname = '$3'" | grep -q 1 || createdb --host="$directory" --username=actsearch "$3"
      echo "postgresql://actsearch@/$3?host=$directory"
      ;;
  esac
}
