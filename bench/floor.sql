-- What a careful hand writes without a compiler, to measure against. No payloads, no leases, no guard, no results.
--
--   floor   a queue with history: one history row a hop, set-based, claims from the start of a partial index
--   gone    a queue that keeps nothing: lock, work, delete
--
-- Their claims return ids alone, not what a handler needs to know.

create schema floor;
create table floor.task (
  id bigint generated always as identity primary key,
  state text collate "C" not null default 'ready',
  priority smallint not null default 0,
  run_at timestamptz not null default now(),
  attempts integer not null default 0,
  worker integer,
  created_at timestamptz not null default now(),
  entered_at timestamptz not null default now(),
  order_id bigint,
  email text
) with (fillfactor = 70);
create index task_ready on floor.task (priority, run_at, id) where state = 'ready';
create index task_running on floor.task (entered_at) where state = 'running';
create table floor.history (
  id bigint not null,
  event text,
  from_state text,
  to_state text not null,
  at timestamptz not null default now()
);
create index history_id on floor.history (id);

create function floor.created() returns trigger language plpgsql as $$
begin
  insert into floor.history (id, event, to_state) select id, 'CREATE', 'ready' from n;
  return null;
end $$;
create trigger created after insert on floor.task
  referencing new table as n for each statement execute function floor.created();

create function floor.claim(_worker integer, _limit integer) returns bigint[] language plpgsql as $$
declare
  v_ids bigint[];
begin
  with c as materialized (
    select id from floor.task where state = 'ready' and run_at <= now()
    order by priority, run_at, id limit _limit for update skip locked),
  u as (
    update floor.task t set state = 'running', entered_at = now(), attempts = attempts + 1, worker = _worker
    from c where t.id = c.id returning t.id),
  h as (
    insert into floor.history (id, event, from_state, to_state)
    select id, 'LOCKED_BY_WORKER', 'ready', 'running' from u)
  select array_agg(id) into v_ids from u;
  return v_ids;
end $$;

create function floor.finish(_worker integer, _ids bigint[]) returns bigint language plpgsql as $$
declare
  v_count bigint;
begin
  with u as (
    update floor.task t set state = 'done', entered_at = now(), worker = null
    from unnest(_ids) x (id) where t.id = x.id and t.state = 'running' and t.worker = _worker returning t.id),
  h as (
    insert into floor.history (id, event, from_state, to_state) select id, 'SUCCESS', 'running', 'done' from u)
  select count(*) into v_count from u;
  return v_count;
end $$;

create schema gone;
create table gone.task (
  id bigint generated always as identity primary key,
  priority smallint not null default 0,
  run_at timestamptz not null default now(),
  attempts integer not null default 0,
  locked_by integer,
  locked_at timestamptz,
  created_at timestamptz not null default now(),
  order_id bigint,
  email text,
  available boolean generated always as (locked_by is null) stored
);
create index task_ready on gone.task (priority, run_at) where available;

create function gone.claim(_worker integer, _limit integer) returns bigint[] language plpgsql as $$
declare
  v_ids bigint[];
begin
  with c as materialized (
    select id from gone.task where available and run_at <= now()
    order by priority, run_at limit _limit for update skip locked),
  u as (
    update gone.task t set locked_by = _worker, locked_at = now(), attempts = attempts + 1
    from c where t.id = c.id returning t.id)
  select array_agg(id) into v_ids from u;
  return v_ids;
end $$;

create function gone.finish(_worker integer, _ids bigint[]) returns bigint language plpgsql as $$
declare
  v_count bigint;
begin
  with u as (delete from gone.task t using unnest(_ids) x (id) where t.id = x.id returning t.id)
  select count(*) into v_count from u;
  return v_count;
end $$;
