"""Tables and figures of the paper and its supplement; may import common and schema."""
