// Written by `make types` from the OpenAPI document: bodies and answers in JSON. Not to be edited.

export interface paths {
    "/v1/plant": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PlantModel"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/assets/{path}/state": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AssetState"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/states": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["StatesModel"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/findings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["FindingsModel"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/signals/{path}/series": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["SeriesModel"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/signals/{path}/detectors": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DetectorsModel"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/scenarios": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ScenariosModel"];
                    };
                };
            };
        };
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ScenarioText"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ScenarioModel"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/scenarios/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AnsweredModel"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/alarms/reports": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ReportModel"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/alarms/replay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ReplayOrder"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ReplayModel"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/alarms": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AlarmsModel"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/alarms/{alarm}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AlarmHistoryModel"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/alarms/{alarm}/acknowledge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Said"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ActionModel"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/alarms/{alarm}/confirm": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Said"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ActionModel"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/alarms/{alarm}/reset": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Said"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ActionModel"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/alarms/{alarm}/unshelve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Said"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ActionModel"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/alarms/{alarm}/comment": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Said"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ActionModel"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/alarms/{alarm}/shelve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Shelving"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ActionModel"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/alarms/{alarm}/verdict": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Judgement"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ActionModel"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/maintenance": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WindowsModel"];
                    };
                };
            };
        };
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["MaintenanceOrder"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ActionModel"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/maintenance/{window}/end": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Said"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ActionModel"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/new-normal": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewNormalOrder"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ActionModel"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/kpis": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["KpisModel"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/bottlenecks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["BottlenecksModel"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/lineage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["LineageModel"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/intervals/{path}/reclassify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Reclassify"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ReclassificationModel"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/forecasts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ForecastsModel"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/forecasts/accuracy": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AccuracyModel"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/assets/{path}/risk": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RiskModel"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/risk": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RisksModel"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/risk/reliability": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ReliabilitiesModel"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/maintenance-events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["EventsModel"];
                    };
                };
            };
        };
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewEvent"][];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Accepted"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/gateways": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["GatewaysModel"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: never;
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["SessionModel"];
                    };
                };
            };
        };
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Credentials"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["SessionModel"];
                    };
                };
            };
        };
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: never;
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/session/oidc": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: never;
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/session/oidc/callback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: never;
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/session/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["PasswordChange"];
                };
            };
            responses: never;
        };
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["UsersModel"];
                    };
                };
            };
        };
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["UserOrder"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["UserModel"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["UserChange"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["UserModel"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/v1/users/{name}/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["PasswordOrder"];
                };
            };
            responses: never;
        };
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["KeysModel"];
                    };
                };
            };
        };
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["KeyOrder"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["NewKeyModel"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/keys/{key}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["KeyModel"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AuditModel"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        Accepted: {
            accepted: number;
            new: number;
        };
        AccuracyModel: {
            days: number;
            rows: number;
            asset: string[];
            by: ("hour" | "shift" | "day" | "week")[];
            days_ahead: number[];
            count: number[];
            inside_50: number[];
            inside_80: number[];
            inside_95: number[];
            mean_error: number[];
            mase: (number | null)[];
            pinball: number[];
        };
        ActionModel: {
            id: number;
            kind: string;
            target: string;
            /** Format: date-time */
            at: string;
            operator: string;
            comment: string;
            detail: {
                [key: string]: unknown;
            };
        };
        ActorModel: {
            /** Format: uuid */
            id: string;
            source: string;
            name: string;
            title: string;
        };
        Added: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            change: "added";
            asset: string;
            /** @default 1 */
            count?: number;
        };
        AlarmHistoryModel: {
            /** Format: uuid */
            id: string;
            kind: components["schemas"]["AlarmKind"];
            name: string;
            title: string;
            source: string;
            asset: string;
            scope: string;
            priority: components["schemas"]["Priority"];
            phase: components["schemas"]["Phase"];
            active: boolean;
            announced: boolean;
            since: string | null;
            cleared_at: string | null;
            changed_at: string | null;
            occurrence: number;
            message: string;
            value: number | null;
            why: {
                [key: string]: unknown;
            };
            shelf: components["schemas"]["ShelfModel"] | null;
            suppressed_by: string[];
            grouped: boolean;
            actions: string[];
            history: components["schemas"]["TransitionModel"][];
        };
        /** @enum {string} */
        AlarmKind: "limit" | "stale" | "anomaly" | "risk" | "gateway" | "flood";
        AlarmModel: {
            /** Format: uuid */
            id: string;
            kind: components["schemas"]["AlarmKind"];
            name: string;
            title: string;
            source: string;
            asset: string;
            scope: string;
            priority: components["schemas"]["Priority"];
            phase: components["schemas"]["Phase"];
            active: boolean;
            announced: boolean;
            since: string | null;
            cleared_at: string | null;
            changed_at: string | null;
            occurrence: number;
            message: string;
            value: number | null;
            why: {
                [key: string]: unknown;
            };
            shelf: components["schemas"]["ShelfModel"] | null;
            suppressed_by: string[];
            grouped: boolean;
            actions: string[];
        };
        AlarmsModel: {
            alarms: components["schemas"]["AlarmModel"][];
            next: string | null;
        };
        Alive: {
            /** @constant */
            status: "ok";
        };
        AnsweredModel: {
            id: string;
            title: string;
            /** @enum {string} */
            state: "waiting" | "running" | "done" | "failed";
            phase: string;
            asked_at: string;
            base_at: string | null;
            progress: number;
            seconds: number;
            detail: string;
            question: {
                [key: string]: unknown;
            };
            answer: {
                [key: string]: unknown;
            } | null;
        };
        ArrowModel: {
            source: string;
            target: string;
            points_to: string;
        };
        AssetModel: {
            path: string;
            name: string;
            title: string;
            /** @enum {string} */
            level: "site" | "area" | "line" | "unit";
            type: string;
            parent: string | null;
            capacity: number | null;
            duty: ("machine" | "quay-crane" | "carrier" | "yard-crane" | "gate-in" | "gate-out") | null;
            servers: number | null;
            plan_per_h: number | null;
            calendar: string;
            signals: components["schemas"]["SignalModel"][];
        };
        AssetState: {
            /** @constant */
            format: 1;
            path: string;
            /** Format: date-time */
            at: string;
            seq: number;
            machine_state: components["schemas"]["MachineState"] | null;
            throughput: components["schemas"]["Throughput"] | null;
            /** @enum {string} */
            health: "good" | "warning" | "bad" | "unknown";
            freshness: components["schemas"]["Freshness"];
            findings: components["schemas"]["Finding"][];
            /** @default {} */
            signals?: {
                [key: string]: components["schemas"]["SignalValue"];
            };
            /** @default [] */
            risks?: components["schemas"]["RiskNow"][];
            children?: components["schemas"]["Children"] | null;
            /** @default [] */
            gateways?: string[];
        };
        AuditEntryModel: {
            id: number;
            /** Format: date-time */
            at: string;
            who: string;
            how: string;
            address: string;
            request: string;
            what: string;
            target: string;
            detail: {
                [key: string]: unknown;
            };
        };
        AuditModel: {
            entries: components["schemas"]["AuditEntryModel"][];
            next: number | null;
        };
        Baseline: {
            centre: number;
            spread: number | null;
        };
        /** @enum {string} */
        Basis: "calibrated" | "uncalibrated prior" | "insufficient data" | "out of service";
        BottlenecksModel: {
            under: string;
            /** Format: date-time */
            start: string;
            /** Format: date-time */
            end: string;
            now: string | null;
            shares: components["schemas"]["ShareModel"][];
            arrows: components["schemas"]["ArrowModel"][];
            chain: components["schemas"]["MomentaryModel"][];
            confirmation: components["schemas"]["ConfirmationModel"] | null;
        };
        /** @enum {string} */
        By: "hour" | "shift" | "day" | "week";
        CalendarModel: {
            shifts: string[];
            stops: string[];
        };
        Capacity: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            change: "buffer";
            asset: string;
            capacity: number;
        };
        Children: {
            running: number;
            down: number;
            total: number;
        };
        Closed: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            change: "closed";
            asset: string;
            for: number;
            /** @default 0 */
            after?: number;
        };
        ConfirmationModel: {
            simulated_h: number;
            replications: number;
            bottleneck: string | null;
            sensitivity: components["schemas"]["GainModel"][];
            detail: string;
        };
        Contribution: {
            signal: string;
            share: number;
            /** @enum {integer} */
            sign: -1 | 0 | 1;
        };
        Credentials: {
            name: string;
            password: string;
        };
        DayModel: {
            day: string;
            raised: number;
        };
        Delayed: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            change: "vessel-delayed";
            asset: string;
            by: number;
        };
        Demand: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            change: "demand";
            factor: number;
            /** @default  */
            asset?: string;
        };
        DetectorsModel: {
            signal: string;
            asked_for: string[] | null;
            samples: string[];
            bank: components["schemas"]["FittedModel"] | null;
            stretches: components["schemas"]["FittedModel"] | null;
        };
        Down: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            change: "down";
            asset: string;
            for: number;
            /** @default 0 */
            after?: number;
        };
        EpisodeModel: {
            /** Format: date-time */
            raised_at: string;
            cleared_at: string | null;
            source: string;
            name: string;
            message: string;
            value: number | null;
        };
        EventModel: {
            asset: string;
            /** Format: date-time */
            at: string;
            until_at?: string | null;
            kind: components["schemas"]["MaintenanceKind"];
            /** @default  */
            component?: string;
            /** @default  */
            comment?: string;
            id: string;
            source: string;
        };
        EventsModel: {
            events: components["schemas"]["EventModel"][];
        };
        FeedModel: {
            /** Format: date-time */
            at: string;
            /** @enum {string} */
            status: "starting" | "live" | "silent" | "disconnected";
            heard_at: string | null;
            explanation: string;
        };
        Finding: {
            id: string;
            signal: string;
            detector: string;
            /** Format: date-time */
            since: string;
            score: number;
            message: string;
            p?: number | null;
            expected_per_day?: number | null;
            baseline?: components["schemas"]["Baseline"] | null;
            /** @default [] */
            contributions?: components["schemas"]["Contribution"][];
            /** @default  */
            regime?: string;
            /** @default  */
            model?: string;
            earlier?: string | null;
        };
        FindingsModel: {
            /** Format: date-time */
            start: string;
            /** Format: date-time */
            end: string;
            findings: components["schemas"]["KeptFinding"][];
        };
        FittedModel: {
            version: number;
            /** Format: date-time */
            fitted_at: string;
            /** Format: date-time */
            trained_from: string;
            /** Format: date-time */
            trained_to: string;
            report: {
                [key: string]: unknown;
            };
        };
        ForecastsModel: {
            /** @enum {string} */
            by: "hour" | "shift" | "day" | "week";
            levels: number[];
            rows: number;
            asset: string[];
            name: string[];
            origin: string[];
            start: string[];
            end: string[];
            unit: string[];
            mean: number[];
            quantiles: number[][];
            adjusted_mean: number[];
            adjusted: number[][];
            maturity: ("prior" | "young" | "learning" | "mature")[];
            actual: (number | null)[];
        };
        Freshness: {
            newest_at: string | null;
            age_s: number | null;
            reason: string;
            explanation: string;
        };
        GainModel: {
            asset: string;
            gain_per_h: number;
            low: number;
            high: number;
        };
        GapModel: {
            /** Format: date-time */
            start: string;
            /** Format: date-time */
            end: string;
            cause: string;
            detail: string;
        };
        GatewayModel: {
            /** @constant */
            format: 1;
            node: string;
            status: string;
            problems?: string[];
        };
        GatewaysModel: {
            feed: components["schemas"]["FeedModel"];
            gateways: components["schemas"]["GatewayModel"][];
        };
        GrantModel: {
            role: components["schemas"]["Role"];
            /** @default  */
            under?: string;
        };
        HorizonModel: {
            horizon_h: number;
            p: number | null;
            low: number | null;
            high: number | null;
            basis: components["schemas"]["Basis"];
            calibrated: boolean;
            failures: number;
            reasons: components["schemas"]["ReasonModel"][];
        };
        IncrementModel: {
            quantity: string;
            /** Format: date-time */
            since: string;
            /** Format: date-time */
            at: string;
            parts: number;
            estimated: boolean;
        };
        IntervalModel: {
            /** Format: date-time */
            start: string;
            /** Format: date-time */
            end: string;
            element: string;
            state: string | null;
            reason: string | null;
            /** @enum {string} */
            plan: "busy" | "stop" | "none";
        };
        Judgement: {
            comment: string;
            verdict: components["schemas"]["Verdict"];
            occurrence?: number | null;
        };
        KeptFinding: {
            id: string;
            signal: string;
            detector: string;
            /** Format: date-time */
            since: string;
            score: number;
            message: string;
            p?: number | null;
            expected_per_day?: number | null;
            baseline?: components["schemas"]["Baseline"] | null;
            /** @default [] */
            contributions?: components["schemas"]["Contribution"][];
            /** @default  */
            regime?: string;
            /** @default  */
            model?: string;
            earlier?: string | null;
            asset: string;
            until: string | null;
        };
        KeyModel: {
            id: string;
            title: string;
            grants: components["schemas"]["GrantModel"][];
            made_by: string;
            /** Format: date-time */
            made_at: string;
            /** Format: date-time */
            ends_at: string;
            revoked_at: string | null;
        };
        KeyOrder: {
            title: string;
            grants: components["schemas"]["GrantModel"][];
            /** @default 90 */
            days?: number;
        };
        KeysModel: {
            keys: components["schemas"]["KeyModel"][];
        };
        KpiRowModel: {
            asset: string;
            /** Format: date-time */
            start: string;
            /** Format: date-time */
            end: string;
            label: string;
            figures: {
                [key: string]: number | null;
            };
            turn_median_s: number | null;
            turn_p90_s: number | null;
            seconds: {
                [key: string]: number;
            };
            losses_s: {
                [key: string]: number;
            };
            quantities: {
                [key: string]: number;
            };
            estimated: number;
            remarks: string[];
        };
        KpisModel: {
            under: string;
            by: string;
            /** Format: date-time */
            start: string;
            /** Format: date-time */
            end: string;
            rows: components["schemas"]["KpiRowModel"][];
        };
        /** @enum {string} */
        Level: "site" | "area" | "line" | "unit";
        LifeModel: {
            hours: number;
            low: number;
            high: number;
            cap: number;
            failures: number;
        };
        LineageModel: {
            asset: string;
            /** Format: date-time */
            start: string;
            /** Format: date-time */
            end: string;
            signals: {
                [key: string]: string;
            };
            samples: {
                [key: string]: number;
            };
            intervals: components["schemas"]["IntervalModel"][];
            increments: components["schemas"]["IncrementModel"][];
            orders: {
                [key: string]: string;
            }[];
            reclassified: components["schemas"]["ReclassificationModel"][];
        };
        LinkModel: {
            source: string;
            target: string;
            buffer: string | null;
        };
        MachineState: {
            name: string;
            category: string;
            /** Format: date-time */
            since: string;
        };
        Maintenance: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            change: "maintenance";
            calendar: string;
            stop: string;
            by_min: number;
        };
        /** @enum {string} */
        MaintenanceKind: "failure" | "repair" | "preventive" | "inspection";
        MaintenanceOrder: {
            comment: string;
            /**
             * @default maintenance
             * @enum {string}
             */
            kind?: "maintenance" | "out-of-service";
            under: string;
            start?: string | null;
            end?: string | null;
        };
        MomentaryModel: {
            asset: string;
            /** Format: date-time */
            start: string;
            /** Format: date-time */
            end: string;
        };
        NewEvent: {
            asset: string;
            /** Format: date-time */
            at: string;
            until_at?: string | null;
            kind: components["schemas"]["MaintenanceKind"];
            /** @default  */
            component?: string;
            /** @default  */
            comment?: string;
        };
        NewKeyModel: {
            id: string;
            title: string;
            grants: components["schemas"]["GrantModel"][];
            made_by: string;
            /** Format: date-time */
            made_at: string;
            /** Format: date-time */
            ends_at: string;
            revoked_at: string | null;
            key: string;
        };
        NewNormalOrder: {
            comment: string;
            path: string;
        };
        OidcModel: {
            title: string;
            address: string;
        };
        OrderText: {
            asset: string;
            things: number;
            due: number;
        };
        Part: {
            status: string;
            detail: string;
        };
        PasswordChange: {
            old: string;
            new: string;
        };
        PasswordOrder: {
            password: string;
        };
        /** @enum {string} */
        Period: "hour" | "shift" | "day" | "order" | "total";
        /** @enum {string} */
        Phase: "normal" | "unacknowledged" | "acknowledged" | "returned" | "latched-unacknowledged" | "latched" | "unconfirmed";
        PlantModel: {
            enterprise: string;
            title: string;
            revision: string;
            assets: components["schemas"]["AssetModel"][];
            calendars: {
                [key: string]: components["schemas"]["CalendarModel"];
            };
            flow: components["schemas"]["LinkModel"][];
        };
        PrecisionModel: {
            detector: string;
            real: number;
            false: number;
            known: number;
            precision: number;
            low: number;
            high: number;
        };
        /** @enum {string} */
        Priority: "low" | "medium" | "high" | "critical";
        Ready: {
            /** @enum {string} */
            status: "ok" | "degraded";
            parts: {
                [key: string]: components["schemas"]["Part"];
            };
        };
        ReasonModel: {
            feature: string;
            value: number | null;
            log_odds: number;
        };
        ReclassificationModel: {
            id: number;
            asset: string;
            /** Format: date-time */
            start: string;
            /** Format: date-time */
            end: string;
            was: {
                [key: string]: number;
            };
            reason: string;
            operator: string;
            comment: string;
            /** Format: date-time */
            at: string;
        };
        Reclassify: {
            /** Format: date-time */
            start: string;
            /** Format: date-time */
            end: string;
            reason: components["schemas"]["StopReason"];
            /** @default  */
            comment?: string;
        };
        ReliabilitiesModel: {
            models: components["schemas"]["ReliabilityModel"][];
        };
        ReliabilityModel: {
            type: string;
            version: number;
            state: string;
            /** Format: date-time */
            fitted_at: string;
            report: {
                [key: string]: unknown;
            };
        };
        ReplayModel: {
            source: string | null;
            name: string;
            rule: {
                [key: string]: number | null;
            } | null;
            /** Format: date-time */
            start: string;
            /** Format: date-time */
            end: string;
            read: number;
            raised: number;
            raised_per_day: number;
            active_share: number;
            per_day: components["schemas"]["DayModel"][];
            episodes: components["schemas"]["EpisodeModel"][];
            more_episodes: number;
        };
        ReplayOrder: {
            rule?: components["schemas"]["TrialRule"] | null;
            anomalies?: components["schemas"]["TrialAnomalies"] | null;
            /** @default -7d */
            start?: string;
            /** @default now */
            end?: string;
        };
        ReportModel: {
            /** Format: date-time */
            start: string;
            /** Format: date-time */
            end: string;
            raised: number;
            per_operator_h: number;
            target_per_operator_h: number;
            most_in_ten_minutes: number;
            flood_share: number;
            priorities: {
                [key: string]: number;
            };
            acknowledged_after_s: {
                [key: string]: number | null;
            };
            bad_actors: components["schemas"]["ActorModel"][];
            chattering: components["schemas"]["ActorModel"][];
            standing: components["schemas"]["ActorModel"][];
            precision: components["schemas"]["PrecisionModel"][];
        };
        RiskModel: {
            asset: string;
            at: string | null;
            model: number | null;
            horizons: components["schemas"]["HorizonModel"][];
            remaining_life: components["schemas"]["LifeModel"] | null;
        };
        RiskNow: {
            horizon: string;
            p: number;
            low: number | null;
            high: number | null;
            calibrated: boolean;
            /** Format: date-time */
            at: string;
        };
        RisksModel: {
            risks: components["schemas"]["RiskModel"][];
        };
        /** @enum {string} */
        Role: "viewer" | "engineer" | "planner" | "gateway" | "admin";
        Said: {
            comment: string;
        };
        ScenarioModel: {
            id: string;
            title: string;
            /** @enum {string} */
            state: "waiting" | "running" | "done" | "failed";
            phase: string;
            asked_at: string;
            base_at: string | null;
            progress: number;
            seconds: number;
            detail: string;
        };
        ScenarioText: {
            title: string;
            /** @default  */
            under?: string;
            /** @default 86400 */
            horizon?: number;
            /** @default 1000 */
            replications?: number;
            /** @default 1 */
            seed?: number;
            /** @default 96 */
            buckets?: number;
            /** @default true */
            sensitivity?: boolean;
            /**
             * @default live
             * @enum {string}
             */
            start?: "live" | "plan";
            start_at?: string | null;
            /** @default [] */
            changes?: (components["schemas"]["Down"] | components["schemas"]["Closed"] | components["schemas"]["Speed"] | components["schemas"]["Capacity"] | components["schemas"]["Added"] | components["schemas"]["Shifts"] | components["schemas"]["Maintenance"] | components["schemas"]["Demand"] | components["schemas"]["Delayed"])[];
            /** @default [] */
            orders?: components["schemas"]["OrderText"][];
        };
        ScenariosModel: {
            scenarios: components["schemas"]["ScenarioModel"][];
        };
        SeriesModel: {
            signal: string;
            title: string;
            /** @enum {string} */
            kind: "measurement" | "counter" | "state" | "text";
            unit: string;
            /** Format: date-time */
            start: string;
            /** Format: date-time */
            end: string;
            reduced: boolean;
            bin_s: number | null;
            rows: number;
            time_ms: number[];
            value: (number | string | null)[];
            quality: number[];
            gaps: components["schemas"]["GapModel"][];
            coverage: number;
            kept_from: string | null;
            low?: (number | null)[] | null;
            high?: (number | null)[] | null;
            samples?: number[] | null;
            covered_s?: number[] | null;
        };
        SessionModel: {
            name: string | null;
            how: string;
            grants: components["schemas"]["GrantModel"][];
            ends_at: string | null;
            must_choose_password: boolean;
            oidc: components["schemas"]["OidcModel"] | null;
        };
        ShareModel: {
            asset: string;
            sole: number;
            shifting: number;
            starved: number;
            blocked: number;
        };
        ShelfModel: {
            until: string | null;
            operator: string;
            comment: string;
        };
        Shelving: {
            comment: string;
            for_s?: number | null;
        };
        Shift: {
            name: string;
            /** Format: date-time */
            started_at: string;
            /** Format: date-time */
            ends_at: string;
        };
        Shifts: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            change: "shifts";
            asset: string;
            calendar: string;
        };
        SignalModel: {
            path: string;
            name: string;
            title: string;
            /** @enum {string} */
            kind: "measurement" | "counter" | "state" | "text";
            unit: string;
            low: number | null;
            high: number | null;
            role: string | null;
            period_s: number;
            stale_after_s: number;
            states: {
                [key: string]: components["schemas"]["StateName"];
            };
        };
        SignalValue: {
            value: number | string | null;
            /** Format: date-time */
            time: string;
            /** Format: date-time */
            received_at: string;
            quality: string;
            fresh: boolean;
        };
        Speed: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            change: "speed";
            asset: string;
            factor: number;
        };
        /** @enum {string} */
        Standing: "standing" | "announced" | "active" | "unacknowledged" | "shelved" | "suppressed" | "all";
        StateName: {
            name: string;
            category: string;
        };
        StatesModel: {
            feed: components["schemas"]["FeedModel"];
            at?: string | null;
            states: components["schemas"]["AssetState"][];
        };
        /** @enum {string} */
        StopReason: "starved" | "blocked" | "idle" | "no-order" | "failure" | "setup" | "tool-change" | "held" | "no-operator" | "quality" | "weather" | "break" | "maintenance" | "production" | "other";
        /** @enum {string} */
        TableFormat: "json" | "csv" | "arrow" | "parquet" | "xlsx";
        Throughput: {
            unit: string;
            now_per_h: number | null;
            this_shift: number | null;
            shift: components["schemas"]["Shift"] | null;
        };
        TransitionModel: {
            id: number;
            step: number;
            /** Format: date-time */
            at: string;
            what: components["schemas"]["What"];
            phase: components["schemas"]["Phase"];
            occurrence: number;
            announced: boolean;
            message: string;
            value: number | null;
            operator: string | null;
            comment: string;
            action: number | null;
            detail: {
                [key: string]: unknown;
            };
        };
        TrialAnomalies: {
            under?: string | null;
            detectors?: string[];
            on_delay_s?: number | null;
            off_delay_s?: number | null;
        };
        TrialRule: {
            signal: string;
            /** @enum {string} */
            name: "lo-lo" | "lo" | "hi" | "hi-hi" | "stale";
            limit?: number | null;
            deadband?: number | null;
            after_s?: number | null;
            on_delay_s?: number | null;
            off_delay_s?: number | null;
        };
        UserChange: {
            grants?: components["schemas"]["GrantModel"][] | null;
            disabled?: boolean | null;
        };
        UserModel: {
            name: string;
            grants: components["schemas"]["GrantModel"][];
            disabled: boolean;
            must_choose_password: boolean;
            /** Format: date-time */
            created_at: string;
        };
        UserOrder: {
            name: string;
            password: string;
            grants: components["schemas"]["GrantModel"][];
        };
        UsersModel: {
            users: components["schemas"]["UserModel"][];
        };
        /** @enum {string} */
        Verdict: "real" | "false" | "known";
        /** @enum {string} */
        What: "raised" | "cleared" | "re-alarmed" | "acknowledged" | "confirmed" | "reset" | "shelved" | "unshelved" | "suppressed" | "unsuppressed" | "commented" | "judged" | "refused" | "retired";
        WindowModel: {
            id: number;
            kind: string;
            under: string;
            /** Format: date-time */
            start: string;
            end: string | null;
            operator: string;
            comment: string;
            ended_at: string | null;
            ended_by: string | null;
            ended_comment: string | null;
        };
        WindowsModel: {
            windows: components["schemas"]["WindowModel"][];
        };
        FieldProblem: {
            field: string;
            problem: string;
        };
        Problem: {
            type: string;
            title: string;
            status: number;
            detail: string;
            do: string;
            instance: string;
            /** @default [] */
            errors?: components["schemas"]["FieldProblem"][];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
