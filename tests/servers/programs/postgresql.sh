#!/bin/sh
# The first process of the container: PostgreSQL, and pgbench on its unix socket.
#   postgresql.sh SECONDS     how long pgbench runs; its report goes to /tmp/pgbench
#   postgresql.sh as COMMAND  runs it as the database's user
bin=/usr/lib/postgresql/15/bin
data=/var/lib/postgresql/data
export PGHOST=/run/postgresql PGDATABASE=postgres PATH="$bin:$PATH" LC_ALL=C

as_user() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }

if [ "$1" = as ]; then
	shift
	as_user "$@"
	exit
fi

mkdir -p "$data" $PGHOST
chown -R postgres: /var/lib/postgresql $PGHOST
chmod 700 "$data"
as_user initdb -D "$data" -A trust --no-sync >/tmp/initdb 2>&1 || { cat /tmp/initdb; exit 1; }
# No network. Queries of all rows are for parallel workers, whose shared memory comes and goes.
as_user postgres -D "$data" -c listen_addresses= -c unix_socket_directories=$PGHOST \
	-c shared_buffers=256MB -c max_parallel_workers_per_gather=2 -c min_parallel_table_scan_size=0 \
	-c parallel_setup_cost=0 -c autovacuum_naptime=1 -c checkpoint_timeout=30 >/tmp/server 2>&1 &
until as_user pg_isready -q; do sleep 0.1; done
as_user pgbench -i -q -s 10 >/tmp/pgbench-init 2>&1 || { cat /tmp/pgbench-init; exit 1; }
echo initialized
as_user pgbench -n -c 1 -T "$1" -f /programs/postgresql-parallel.sql >/tmp/pgbench-parallel 2>&1 &
parallel=$!
as_user pgbench -c 8 -j 2 -T "$1" >/tmp/pgbench 2>&1
code=$?
wait $parallel
echo "pgbench $code $?"
wait
pg_controldata "$data" | sed -n 's/^Database cluster state: */state: /p'
