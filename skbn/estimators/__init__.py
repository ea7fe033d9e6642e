"""scikit-learn's side: estimators made of runs."""
