select count(*) from calls.call_create_many((
  select jsonb_agg(jsonb_build_object('customer', case when n <= 90 then 'big' else 'small' || n end, 'url', 'https://example.org/' || n))
  from generate_series(1, 100) n));
select calls.call_create('big', 'https://example.org/broken', _key => 'request 4711');
select calls.export_create('big');
