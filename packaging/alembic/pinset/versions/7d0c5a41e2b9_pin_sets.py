"""PIN sets

Version 1 of the tables, as 'pinset database init' makes it.

Revision ID: 7d0c5a41e2b9
Revises: None
"""

from pathlib import Path

from alembic import op

revision = "7d0c5a41e2b9"
down_revision = None

SQL = Path(__file__).parents[1] / "sql" / "0001.sql"


def upgrade():
    # By the driver, which reads neither : nor % as the beginning of a parameter.
    op.get_bind().connection.cursor().execute(SQL.read_text())


def downgrade():
    op.drop_table("pinset_pins")
    op.drop_table("pinset_schema")
