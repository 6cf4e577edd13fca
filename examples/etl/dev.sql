-- Run once by `jetpackc dev` on an empty database: the tables that the files go to, and the first night.
create table customer (number text primary key, name text not null, city text not null);
create table product (code text primary key, name text not null, price numeric not null check (price > 0));

-- Where a row came from is its key: a row that is loaded twice is refused.
create table sale (
  day date not null,
  file text not null,
  line int not null,
  customer text not null,
  product text not null,
  quantity int not null check (quantity > 0),
  price numeric not null,
  primary key (day, file, line)
);

select etl.night_create(day => '2026-03-02');
