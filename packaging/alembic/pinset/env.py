"""Runs the revisions of the tables of PIN sets."""

from logging.config import fileConfig

from alembic import context
from sqlalchemy import create_engine, pool

config = context.config
fileConfig(config.config_file_name)

if context.is_offline_mode():
    raise SystemExit("--sql is not supported: the folder sql has the statements")

engine = create_engine(config.get_main_option("sqlalchemy.url"), poolclass=pool.NullPool)
with engine.connect() as connection:
    # A table of its own: Asterisk's may be in the same database.
    context.configure(connection=connection, version_table="pinset_alembic_version")
    with context.begin_transaction():
        context.run_migrations()
