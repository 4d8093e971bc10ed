"""What processes share is made once, and a copy of a database is like its template."""

from tests.acceptance.sharing import shared

CONSTRAINTS = """
(lambda connection: {
    table: sorted(map(repr, connection.introspection.get_constraints(connection.cursor(), table).items()))
    for table in connection.introspection.table_names()
})(__import__("django.db").db.connection)
"""


def test_what_is_shared_is_made_by_the_first_who_needs_it_and_taken_away_by_the_last(tmp_path):
    made, gone = [], []

    def make(folder):
        made.append(folder.is_dir())
        return f"number {len(made)}"

    with shared(tmp_path, make, gone.append) as first:
        with shared(tmp_path, make, gone.append) as second:
            assert (first, second, made) == ("number 1", "number 1", [True])
        assert gone == []
    assert gone == ["number 1"]
    with shared(tmp_path, make, gone.append) as third:
        assert third == "number 2"


def test_a_copy_of_a_database_has_the_tables_rows_and_keys_of_its_template(site, template):
    copied, rows = site.query(CONSTRAINTS.strip()), site.query("sorted(Job.objects.values_list('name', flat=True))")
    site.env["SITE_DATABASE"] = template
    assert copied == site.query(CONSTRAINTS.strip())
    assert rows == site.query("sorted(Job.objects.values_list('name', flat=True))")
    assert any("foreign_key': ('scheduler_bridge_job" in key for key in copied["scheduler_bridge_run"])
