select count(*), sum(abalance) from pgbench_accounts;
