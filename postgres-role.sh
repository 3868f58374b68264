#!/bin/sh
# Run once by PostgreSQL's image, for a new volume: the role that Assay connects as owns its
# database and is no superuser.
set -eu
psql --set=ON_ERROR_STOP=1 --set=password="$ASSAY_PASSWORD" --username=postgres <<'SQL'
CREATE ROLE assay LOGIN CREATEDB PASSWORD :'password';
CREATE DATABASE assay OWNER assay;
SQL
