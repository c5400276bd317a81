"""The work of a study: in processes of its own, on joblib's back ends, or on a cluster."""
