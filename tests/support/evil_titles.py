"""Titles that a page must show as they are."""

EVIL = [
    "<script>document.title = 'hacked'</script>",
    '"><img src=x onerror="document.title = 1">',
    "{{ 7 * 7 }} {% raw %}",
    "&lt;b&gt; \u202egnp.exe",
    "</table></style></script><!--",
]
