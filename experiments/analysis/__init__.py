"""Tables and figures beyond the papers; may import paper, common and schema."""
