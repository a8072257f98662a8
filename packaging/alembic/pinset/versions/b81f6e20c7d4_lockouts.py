"""Lockouts

Version 2 of the tables, as 'pinset database upgrade' makes it.

Revision ID: b81f6e20c7d4
Revises: 7d0c5a41e2b9
"""

from pathlib import Path

from alembic import op

revision = "b81f6e20c7d4"
down_revision = "7d0c5a41e2b9"

SQL = Path(__file__).parents[1] / "sql" / "0002.sql"

DOWN = r"""
DROP TABLE pinset_lockouts, pinset_trusted, pinset_pepper CASCADE;
DROP TYPE pinset_failures CASCADE;
DO $$
DECLARE
  name regprocedure;
BEGIN
  FOR name IN
    SELECT p.oid FROM pg_proc p JOIN pg_class c ON p.pronamespace = c.relnamespace
     WHERE c.oid = 'pinset_pins'::regclass AND p.proname LIKE 'pinset\_%'
  LOOP
    EXECUTE 'DROP FUNCTION ' || name;
  END LOOP;
END $$;
DELETE FROM pinset_schema WHERE version = 2;
"""


def run(sql):
    # By the driver, which reads neither : nor % as the beginning of a parameter.
    op.get_bind().connection.cursor().execute(sql)


def upgrade():
    run(SQL.read_text())


def downgrade():
    run(DOWN)
