"""The studio: the whole story in a browser, on this machine.

    workshop    what is loaded once and shared: model, training set, auditor, and who may use the model
    fields      the options of `unheard generate` as fields of a form; told where a value is wrong
    making      both takes of a seed, with and without guidance, step by step
    stream      work in a thread, told as it goes; it can be cancelled
    takes       takes on disk: numbered, never overwritten, read back as the history
    nearby      the recording that a sound is near to, cut out to be played beside it
    markup      what is shown of a take, a meter, an audit, as HTML
    make_tab, audit_tab, index_tab
                one tab each
    api         the named endpoints, for `gradio_client`
    app         the page and its server
    page/       its script and its style

Gradio (the extra `studio`) is imported by the tabs, `api` and `app` alone.
"""
